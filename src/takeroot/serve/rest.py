"""REST: a plain ASGI application, a thin translator from HTTP to the service.

The order of every request: host, origin, address, token, size, and only then what the address is
for: ``native`` or, under /v2, ``v2``. An error is written as that half writes its errors.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import replace
from http import HTTPStatus
from typing import Any

from takeroot.serve import native, v2
from takeroot.serve.caller import Gate
from takeroot.serve.events import Events
from takeroot.serve.failure import place
from takeroot.serve.faults import ServeError
from takeroot.serve.native import Host, Request, Response
from takeroot.serve.refusal import Headers
from takeroot.serve.request_id import REQUEST_ID, accepted_id
from takeroot.serve.room import RETRY_AFTER_S
from takeroot.serve.service import CALLER, Service
from takeroot.serve.settings import Settings
from takeroot.serve.telemetry import Telemetry
from takeroot.serve.turns import Turns

TRACE_HEADERS = ("traceparent", "tracestate")
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")

log = logging.getLogger(__name__)

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class App:
    """The ASGI application.

    Args:
        service: Answers.
        gate: Admits.
        settings: Limits.
        telemetry: Counts.
    """

    def __init__(
        self, service: Service, gate: Gate, settings: Settings, telemetry: Telemetry
    ) -> None:
        self.turns = Turns()
        self._let_in = 0  # predictions of this round of the event loop that are not judged yet
        self._host = Host(service, gate, settings, telemetry)
        names = settings.hosts or (LOOPBACK_NAMES if settings.loopback else ("*",))
        self._hosts = None if "*" in names else {*names, settings.host}

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request."""
        method, path, headers = scope["method"], scope["path"], dict(scope["headers"])
        called = accepted_id(headers.get(b"x-request-id", b"").decode("latin-1"))
        REQUEST_ID.set(called)
        try:
            response = await self._respond(method, path, headers, receive)
            outcome = "ok" if response.status < HTTPStatus.BAD_REQUEST else "not_ready"
        except asyncio.CancelledError:  # the client has left: there is nobody to answer
            self._host.telemetry.ended("rest", "cancelled")
            return
        except Exception as error:
            refused = _as_refusal(error, called)
            response, outcome = _refusal(refused, path, called), refused.code
        if response.stream is not None:
            outcome = await self._send_events(send, response, response.stream, called, headers)
        self._host.telemetry.ended("rest", outcome)
        if self._host.settings.log_requests:
            told = {"request_id": called, "method": method, "path": path, "status": response.status}
            log.info("request", extra=told)
        if response.stream is None:
            await self._send(send, response, called, headers, head=method == "HEAD")

    def too_much(self, method: bytes, path: bytes, headers: Headers) -> Response | None:
        """The refusal of a prediction for which there is no room, known before it is read.

        Beyond capacity most requests end here: nothing that costs time may happen first. What is
        let in counts as waiting until the event loop's round is over.
        """
        settings = self._host.settings
        if settings.log_requests or settings.origins:
            return None
        if method != b"POST" or not path.endswith((b"/predict", b"/infer")):
            return None
        if not self._host.service.full(self._let_in):
            self._let_in += 1
            if self._let_in == 1:
                asyncio.get_running_loop().call_soon(self._all_judged)
            return None
        given = next((value for name, value in headers if name == b"x-request-id"), b"")
        called = accepted_id(given.decode("latin-1"))
        error = ServeError("overloaded", retry_after_s=RETRY_AFTER_S)
        response = _refusal(error, path.decode("latin-1"), called)
        self._host.telemetry.ended("rest", error.code)
        return replace(response, headers=response.own_headers(called))

    def _all_judged(self) -> None:
        """What was let in is about to take its place, or be refused, before any more is read."""
        self._let_in = 0

    async def _respond(
        self, method: str, path: str, headers: Mapping[bytes, bytes], receive: Receive
    ) -> Response:
        """Everything between the request's head and the response's."""
        self._check_host(headers)
        self._check_origin(method, headers)
        if method == "OPTIONS" and self._origin(headers):
            return Response(b"", status=204, headers=_preflight())
        authorization = headers.get(b"authorization")
        token = None if authorization is None else authorization.decode("latin-1")
        if path.startswith("/v2"):
            scope = v2.scope_of(method, path)
            if scope is None:
                raise ServeError("unknown_route")
            self._admit(token, None if scope == "none" else scope)
            self._begin("infer", method, scope, headers)
            body = await self._body(headers, receive)
            status, own, data = await v2.respond(self._host.service, method, path, headers, body)
            if isinstance(data, Events):
                return Response(b"", status=status, headers=own, content_type=b"", stream=data)
            return Response(data, status=status, headers=own, content_type=b"")
        route, values = native.find(method, path)
        self._admit(token, route.scope)
        self._begin("predict", method, route.scope, headers)
        body = await self._body(headers, receive) if method == "POST" else b""
        return await route.handler(self._host, Request(headers, body, values))

    def _admit(self, token: str | None, scope: str | None) -> None:
        """Note who calls, for the service; an open address asks nobody."""
        if scope is not None:
            CALLER.set(self._host.gate.admit(token, scope))

    def _begin(
        self, name: str, method: str, scope: str | None, headers: Mapping[bytes, bytes]
    ) -> None:
        """Take note that a prediction was asked for, perhaps within a span of the caller's."""
        if method == "POST" and scope == "predict":
            given = {key: headers.get(key.encode(), b"").decode("latin-1") for key in TRACE_HEADERS}
            self._host.telemetry.begin(name, "rest", given)

    def _check_host(self, headers: Mapping[bytes, bytes]) -> None:
        """Refuse a name this server does not go by: a page may have bent its own to our address."""
        if self._hosts is None:
            return
        name = headers.get(b"host", b"").decode("latin-1")
        if re.sub(r":\d+$", "", name) not in self._hosts:
            raise ServeError("unknown_host")

    def _check_origin(self, method: str, headers: Mapping[bytes, bytes]) -> None:
        """Refuse what a page of another origin makes a browser send."""
        origin = headers.get(b"origin")
        if origin is None or method in ("GET", "HEAD", "OPTIONS") or self._origin(headers):
            return
        if origin.partition(b"://")[2] != headers.get(b"host"):
            raise ServeError("foreign_origin")

    async def _body(self, headers: Mapping[bytes, bytes], receive: Receive) -> bytes:
        """The whole body.

        Raises:
            ServeError: body_too_large, before more than that was read.
        """
        limit = self._host.settings.max_body_bytes
        announced = headers.get(b"content-length", b"0")
        if not announced.isdigit() or int(announced[:12]) > limit:
            raise ServeError("body_too_large", limit=limit)
        message = await receive()
        body: bytes = message.get("body", b"")
        while message.get("more_body"):
            message = await receive()
            if message["type"] == "http.disconnect":
                raise asyncio.CancelledError
            body += message.get("body", b"")
            if len(body) > limit:
                raise ServeError("body_too_large", limit=limit)
        return body

    def _origin(self, headers: Mapping[bytes, bytes]) -> bytes | None:
        """The page's origin, if it may call."""
        origin = headers.get(b"origin")
        return (
            origin if origin and origin.decode("latin-1") in self._host.settings.origins else None
        )

    async def _send(
        self,
        send: Send,
        response: Response,
        called: str,
        asked: Mapping[bytes, bytes],
        *,
        head: bool,
    ) -> None:
        """Send head and body."""
        size = (b"content-length", str(len(response.body)).encode())
        headers = [size, *self._headers(response, called, asked)]
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if head else response.body})

    async def _send_events(
        self,
        send: Send,
        response: Response,
        events: Events,
        called: str,
        asked: Mapping[bytes, bytes],
    ) -> str:
        """Send head and events, as they come; gives what became of the request."""
        headers = self._headers(response, called, asked)
        kind = "http.response.body"
        try:
            async with aclosing(events.chunks()) as chunks:
                await send({"type": "http.response.start", "status": 200, "headers": headers})
                async for chunk in chunks:
                    await send({"type": kind, "body": chunk, "more_body": True})
            await send({"type": kind, "body": b""})
        except asyncio.CancelledError:  # the client has left
            return "cancelled"
        return events.outcome

    def _headers(self, response: Response, called: str, asked: Mapping[bytes, bytes]) -> Headers:
        """The headers of a response but its length."""
        headers = response.own_headers(called)
        origin = self._origin(asked)
        if origin:
            headers += [(b"access-control-allow-origin", origin), (b"vary", b"origin")]
        if self._host.service.draining:
            headers.append((b"connection", b"close"))
        return headers


def _as_refusal(error: Exception, called: str) -> ServeError:
    """What the client is told; of a fault of ours, where it was is logged, and nothing is told."""
    if isinstance(error, ServeError):
        return error
    log.error("request %s failed: %s", called, place(error))
    return ServeError("internal")


def _refusal(error: ServeError, path: str, called: str) -> Response:
    """An error as those who ask at this address expect it."""
    if not path.startswith("/v2"):
        return native.refusal(error, called)
    status, headers, data = v2.refusal(error)
    return Response(data, status=status, headers=headers, content_type=b"")


def _preflight() -> Headers:
    """What a page of an allowed origin may send."""
    return [
        (b"access-control-allow-methods", b"GET, POST"),
        (b"access-control-allow-headers", b"authorization, content-type, x-request-timeout-ms"),
        (b"access-control-max-age", b"600"),
    ]
