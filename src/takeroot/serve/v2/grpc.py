"""The V2 protocol over gRPC, and gRPC's own health check, on a ``grpc.aio`` server.

One table holds every call, with the scope it needs; a call of the .proto files without an entry
stops the server from starting. Requests are parsed here and not by grpcio, so that a damaged one is
the client's fault and not ours.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from takeroot.serve.caller import Gate
from takeroot.serve.failure import place
from takeroot.serve.faults import ServeError
from takeroot.serve.request_id import REQUEST_ID, accepted_id
from takeroot.serve.service import CALLER, Service
from takeroot.serve.telemetry import Telemetry
from takeroot.serve.v2 import grpc_body
from takeroot.serve.v2.grpc_calls import CALLS, HEALTH_CALLS, NO_SCOPE, Ask, Call, health
from takeroot.serve.v2.infer import infer, infer_pieces
from takeroot.serve.v2.messages import HEALTH, INFERENCE, Method, methods
from takeroot.serve.v2.tensors import invalid

STREAM_SCOPE = "predict"
WINDOW = 16  # requests of one stream that are answered at the same time
WATCH_S = 0.5  # between two looks at whether the service is well, or about to end

_Answers = asyncio.Queue[bytes | None]  # to one request of a stream; None when that is all

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Host:
    """The service, who may call it, and what takes note of it."""

    service: Service
    gate: Gate
    telemetry: Telemetry

    def handler(self, method: Method, calls: dict[str, Call | Streamed]) -> Any:
        """What grpcio is given for a call; requests and responses are bytes to it."""
        call = calls[method.name]
        if isinstance(call, Call):
            return grpc.unary_unary_rpc_method_handler(self._unary(method, call))
        answer = self._streaming(method, call)
        if method.streams[0]:
            return grpc.stream_stream_rpc_method_handler(answer)
        return grpc.unary_stream_rpc_method_handler(answer)

    def _unary(self, method: Method, call: Call) -> Callable[[bytes, Any], Awaitable[bytes]]:
        """Answers one request with one response."""

        async def answer(data: bytes, context: Any) -> bytes:
            try:
                with self.counted():
                    await self.hold(call.scope)
                    self.admit(call.scope, context)
                    if method.name == "ModelInfer":
                        self.begin(context)
                    return await call.answer(self.ask(method, data, context))
            except ServeError as error:
                refused = error
            except Exception as error:  # the boundary: what we did not foresee is INTERNAL
                refused = _unforeseen(method, error)
            await _refuse(context, refused)
            raise AssertionError("abort returned")

        return answer

    def _streaming(self, method: Method, call: Streamed) -> Callable[[Any, Any], Awaitable[None]]:
        """Answers with a stream of responses."""

        async def answer(given: Any, context: Any) -> None:
            try:
                await self.hold(call.scope)
                self.admit(call.scope, context)
                await call.answer(self, method, given, context)
                return
            except ServeError as error:
                refused = error
            except Exception as error:  # as above
                refused = _unforeseen(method, error)
            # The call as a whole; the requests of a stream are counted one by one.
            self.telemetry.ended("grpc", refused.code)
            await _refuse(context, refused)

        return answer

    async def hold(self, scope: str) -> None:
        """While the server closes, let a new call wait for its refusal until it has.

        grpcio cancels what it has read but not handed over at the moment it stops; a client that
        waits sends nothing at that moment.
        """
        if self.service.closing is not None and scope != NO_SCOPE:
            await self.service.closing.wait()

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count what the block comes to: ``ok``, ``cancelled`` or the code of its error."""
        outcome = "internal"
        try:
            yield
            outcome = "ok"
        except ServeError as error:
            outcome = error.code
            raise
        except asyncio.CancelledError:
            outcome = "cancelled"
            raise
        finally:
            self.telemetry.ended("grpc", outcome)

    def begin(self, context: Any) -> None:
        """A prediction was asked for, perhaps within a span of the caller's."""
        metadata = context.invocation_metadata() or ()
        self.telemetry.begin("infer", "grpc", {key: str(value) for key, value in metadata})

    def admit(self, scope: str, context: Any) -> None:
        """Note who calls, for the service.

        Raises:
            ServeError: If they may not.
        """
        if scope == NO_SCOPE:
            return
        if self.service.closing is not None:
            raise ServeError("not_ready", retry_after_s=1.0)
        metadata = dict(context.invocation_metadata() or ())
        CALLER.set(self.gate.admit(metadata.get("authorization"), scope))
        REQUEST_ID.set(accepted_id(metadata.get("x-request-id", "")))

    def ask(self, method: Method, data: bytes, context: Any) -> Ask:
        """A request's bytes as a call.

        Raises:
            ServeError: body_too_large, or invalid_request if they are no message.
        """
        most = self.service.settings.max_body_bytes
        if len(data) > most:
            raise ServeError("body_too_large", limit=most)
        try:
            request = method.request.FromString(data)
        except DecodeError as error:
            raise invalid("the request is not a message of this call") from error
        return Ask(self.service, request, method.response, context.time_remaining())


@dataclass(frozen=True)
class Streamed:
    """How a call that answers with a stream is answered.

    Args:
        scope: As for ``Call``.
        answer: Writes the responses; given the host, the call, its request or requests, and
            grpcio's context.
    """

    scope: str
    answer: Callable[[_Host, Method, Any, Any], Awaitable[None]]


async def _stream_infer(host: _Host, method: Method, given: Any, context: Any) -> None:
    """Answers to each request of a stream, in the order of the requests.

    An error goes into the answer of its request, and the stream goes on. When the server is about
    to end, no more requests are taken, and the stream ends when those that were are answered. Of a
    request that asks for the pieces of a text, each piece is an answer.
    """
    answers: asyncio.Queue[_Answers | None] = asyncio.Queue()
    room = asyncio.Semaphore(WINDOW)
    async with asyncio.TaskGroup() as group:

        async def take() -> None:
            admitted = True  # the first, with the call; then every request is looked at
            try:
                async for data in given:
                    await room.acquire()
                    own = _Answers()
                    answers.put_nowait(own)
                    group.create_task(_answer(host, method, data, context, own, admitted=admitted))
                    admitted = False
            finally:
                answers.put_nowait(None)

        taking = group.create_task(take())
        watching = group.create_task(_stop_when_draining(host.service, taking))
        while (own := await answers.get()) is not None:
            while (answer := await own.get()) is not None:
                await context.write(answer)
            room.release()
        watching.cancel()
    if taking.cancelled():
        raise ServeError("not_ready", retry_after_s=WATCH_S)


async def _stop_when_draining(service: Service, taking: asyncio.Task[None]) -> None:
    """Take no more requests when the server is about to end."""
    while not service.draining:
        await asyncio.sleep(WATCH_S)
    taking.cancel()


async def _answer(
    host: _Host, method: Method, data: bytes, context: Any, answers: _Answers, *, admitted: bool
) -> None:
    """The answers to one request of a stream, or what is wrong with it."""
    request_id = ""
    try:
        with host.counted():
            if not admitted:
                host.admit(STREAM_SCOPE, context)
            host.begin(context)
            ask = host.ask(method, data, context)
            request_id = ask.request.id
            request = grpc_body.read(ask.request, ask.service.settings.max_inputs, ask.remaining_s)
            if request.pieces:
                async with aclosing(infer_pieces(ask.service, request)) as pieces:
                    async for each, last in pieces:
                        answers.put_nowait(grpc_body.write_streamed(each, request_id, last=last))
            else:
                answered = await infer(ask.service, request)
                answers.put_nowait(grpc_body.write_streamed(answered, request_id))
    except ServeError as error:
        answers.put_nowait(grpc_body.write_refused(error.message, request_id))
    except Exception as error:  # the boundary, as for a call of its own
        answers.put_nowait(grpc_body.write_refused(_unforeseen(method, error).message, request_id))
    finally:
        answers.put_nowait(None)


async def _health_watch(host: _Host, method: Method, given: bytes, context: Any) -> None:
    """The health of a gRPC service whenever it changes.

    It ends when the service stops answering, so that nobody who watches holds up a server that is
    about to end; a client that goes on watching calls again.
    """
    ask = host.ask(method, given, context)
    told = ""
    while True:
        status = await health(host.service, ask.request.service)
        if status != told:
            await context.write(ask.filled(status=status))
        if told == "SERVING" and status != told:
            return
        told = status
        await asyncio.sleep(WATCH_S)


SERVICES: dict[str, dict[str, Call | Streamed]] = {
    INFERENCE: {**CALLS, "ModelStreamInfer": Streamed(STREAM_SCOPE, _stream_infer)},
    HEALTH: {**HEALTH_CALLS, "Watch": Streamed(NO_SCOPE, _health_watch)},
}


def add_to(server: grpc.aio.Server, service: Service, gate: Gate, telemetry: Telemetry) -> None:
    """Answer every call of the protocol and of the health check on this server.

    Args:
        server: Not started yet.
        service: Answers.
        gate: Decides who may call.
        telemetry: Counts every request by its outcome.
    """
    host = _Host(service, gate, telemetry)
    for name, calls in SERVICES.items():
        handlers = {each.name: host.handler(each, calls) for each in methods(name)}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, handlers),))


def scope_of(service: str, method: str) -> str | None:
    """What a token must allow for a call; ``none`` if nothing, None if there is no such call."""
    call = SERVICES.get(service, {}).get(method)
    return None if call is None else call.scope


def _unforeseen(method: Method, error: Exception) -> ServeError:
    """What the client is told of a fault of ours; the log is told where it was."""
    _log.error("%s failed: %s", method.name, place(error))
    return ServeError("internal")


async def _refuse(context: Any, error: ServeError) -> None:
    """End the call with an error."""
    metadata: tuple[tuple[str, str], ...] = ()
    if error.retry_after is not None:
        metadata = (("retry-after", error.retry_after),)
    await context.abort(grpc.StatusCode[error.fault.grpc], error.message, metadata)
