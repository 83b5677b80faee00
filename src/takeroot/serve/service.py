"""The one object under REST and gRPC: which models there are, and answers.

A request is answered wholly by the version it was given first, whatever happens in the folder.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from takeroot.bundle.answer import Answer
from takeroot.serve.asked import check_inputs, limit_of
from takeroot.serve.cache import Cache
from takeroot.serve.caller import ANONYMOUS, Caller, Gate
from takeroot.serve.faults import ServeError
from takeroot.serve.models import ModelInfo, Models, Served
from takeroot.serve.pool import Pool
from takeroot.serve.queue import Piece, Result
from takeroot.serve.room import Room
from takeroot.serve.settings import Settings
from takeroot.serve.statistics import Finished, ModelStatistics
from takeroot.serve.wire import Input, Prompt
from takeroot.serve.work import Asked, Work

if TYPE_CHECKING:  # loaded where something is recorded, for it takes time
    from takeroot.serve.records import Recorder

PROBE_S = 1.0  # a forward pass for readiness may take

# Who asks: set by whoever admitted the request, in the request's own task.
CALLER: ContextVar[Caller] = ContextVar("CALLER", default=ANONYMOUS)

T = TypeVar("T", Answer, bytes)


@dataclass(frozen=True)
class Reply(Generic[T]):
    """The answers to a request in order of its inputs, all by one version of one model."""

    model: str
    version: str
    answers: list[T]


@dataclass
class Service:
    """Models and answers.

    Args:
        folder: A bundle, or a folder of bundles.
        settings: Limits.
        pool: The workers.
        gate: Keeps quotas and usage; the caller is ``CALLER``.
        observe: Called after every request.
        recorder: Keeps texts and answers; None keeps nothing.
    """

    folder: Path
    settings: Settings
    pool: Pool
    gate: Gate
    observe: Callable[[Finished], None] = lambda _: None
    recorder: Recorder | None = None
    _statistics: dict[tuple[str, str], ModelStatistics] = field(default_factory=dict)
    was_ready: bool = False
    draining: bool = False  # the end is near: everything is answered, but readiness is off
    closing: asyncio.Event | None = None  # from when nothing is accepted; set when that is over
    _last_probe: float = -1e9
    _models: Models = field(init=False)
    _room: Room = field(init=False)

    def __post_init__(self) -> None:
        self._models = Models(self.folder, self.settings, self.pool)
        self._room = Room(self.settings, self.pool, self.recorder)

    async def start(self) -> None:
        """Start the workers and open every bundle.

        Raises:
            BundleError: If there is none, or one cannot be opened.
        """
        await self._models.start()

    def models(self) -> list[ModelInfo]:
        """What is served, by name, the newest version of each first."""
        return [each.info for each in self._models.listed()]

    def find(self, name: str, version: str | None = None) -> ModelInfo:
        """The newest version of a model, or the one asked for.

        Raises:
            ServeError: ``unknown_model``.
        """
        return self._models.find(name, version).info

    def writes(self, name: str, version: str | None = None) -> bool:
        """Whether a model writes texts.

        Raises:
            ServeError: ``unknown_model``.
        """
        return self._models.find(name, version).info.spec.writes

    async def predict(
        self,
        name: str,
        inputs: Sequence[Input | Prompt],
        *,
        version: str | None = None,
        deadline: float | None = None,
        max_new_tokens: int | None = None,
    ) -> Reply[Answer]:
        """Answers as values.

        Cancelling the task frees the request's place in the queue, and ends the writing of texts.

        Args:
            name: The model.
            inputs: Texts, for a pair task pairs of texts, for a model that writes also chats.
            version: Of the model; the newest when absent.
            deadline: On the loop's clock.
            max_new_tokens: Most tokens of an answer that is a text; the bundle's limit if absent.

        Raises:
            ServeError: If the request cannot be accepted, or not answered in time.
        """
        served = self._models.find(name, version)
        limit = limit_of(served.info.spec, max_new_tokens, self.settings)
        return await self._answer(served, Asked(inputs, "answers", None, limit), deadline)

    async def write(
        self,
        name: str,
        inputs: Sequence[Input | Prompt],
        *,
        version: str | None = None,
        deadline: float | None = None,
        top_k: int | None = None,
        max_new_tokens: int | None = None,
    ) -> Reply[bytes]:
        """As ``predict``, with the answers in JSON and in them the ``top_k`` likeliest labels."""
        served = self._models.find(name, version)
        limit = limit_of(served.info.spec, max_new_tokens, self.settings)
        return await self._answer(served, Asked(inputs, "json", top_k, limit), deadline)

    async def stream(
        self,
        name: str,
        inputs: Sequence[Prompt],
        *,
        version: str | None = None,
        deadline: float | None = None,
        max_new_tokens: int | None = None,
    ) -> AsyncGenerator[tuple[int, str] | Reply[bytes]]:
        """Pieces of the texts that answer some inputs, as they are written, and at last the reply.

        Closing it ends the writing.

        Yields:
            Place of an input and the next piece of its text, or at the end the reply in JSON.

        Raises:
            ServeError: As ``predict``; or ``invalid_request`` if the model does not write texts.
        """
        served = self._models.find(name, version)
        spec, told = served.info.spec, asyncio.Queue[tuple[int, str] | None]()
        limit = limit_of(spec, max_new_tokens, self.settings)
        if not limit:
            raise ServeError("invalid_request", reason="this model's answers cannot be streamed")
        asked = Asked(inputs, "json", None, limit, lambda *piece: told.put_nowait(piece))
        answering = asyncio.create_task(self._answer(served, asked, deadline))
        answering.add_done_callback(lambda _: told.put_nowait(None))
        try:
            while (piece := await told.get()) is not None:
                yield piece
            yield await answering
        finally:
            if answering.cancel():
                with suppress(asyncio.CancelledError, ServeError):
                    await answering

    def live(self) -> bool:
        """Whether the process runs."""
        return True

    async def ready(self) -> bool:
        """Whether every model answers: a real text goes through queue, worker and network."""
        now = asyncio.get_running_loop().time()
        if self.was_ready and not self.draining and now - self._last_probe < PROBE_S:
            return True
        self.was_ready = False
        newest = self._models.newest()
        if self.draining or not newest:
            return False
        try:
            async with asyncio.timeout(PROBE_S):
                await asyncio.gather(*map(self._probe, newest))
        except (ServeError, TimeoutError):
            return False
        self.was_ready, self._last_probe = True, asyncio.get_running_loop().time()
        return True

    async def load(self, name: str) -> None:
        """Serve a model that was unloaded, or look whether the folder holds it now.

        Raises:
            ServeError: ``unknown_model``.
        """
        await self._models.load(name)

    async def unload(self, name: str) -> None:
        """Stop serving a model until it is loaded again.

        Raises:
            ServeError: ``unknown_model``.
        """
        self._models.unload(name)

    def repository(self) -> list[tuple[str, str, str]]:
        """Name, version and state (READY or UNAVAILABLE) of every bundle that is open."""
        return self._models.repository()

    def statistics(
        self, name: str | None = None, version: str | None = None
    ) -> list[ModelStatistics]:
        """What each version has done.

        Raises:
            ServeError: ``unknown_model``.
        """
        if name is not None:
            self._models.find(name, version)
        return [
            self._statistics_of(info)
            for info in self.models()
            if name in (None, info.name) and version in (None, info.version)
        ]

    def pending(self, name: str, version: str) -> int:
        """Requests for a version of which nothing has been handed to a worker yet.

        Raises:
            ServeError: ``unknown_model``.
        """
        return self.pool.pending(self._models.find(name, version).opened.key)

    def caches(self) -> list[tuple[ModelInfo, Cache]]:
        """What is kept of the answers of each version whose answers are kept."""
        found = [(each.info, each.shared) for each in self._models.listed()]
        return [(info, shared.cache) for info, shared in found if shared is not None]

    async def watch(self) -> None:
        """Follow what happens in the folder, for ever."""
        await self._models.watch()

    async def _answer(self, served: Served, asked: Asked, deadline: float | None) -> Reply[Any]:
        """The reply to a request, which is counted and charged."""
        loop = asyncio.get_running_loop()
        arrived = loop.time()
        about = Finished(served.info.name, served.info.version, len(asked.inputs))
        limit = min(arrived + self.settings.timeout_s, deadline or float("inf"))
        served.users += 1
        try:
            answers = await self._accept(served, asked, arrived, limit, about)
            about.outcome = "ok"
        except ServeError as error:
            about.outcome = error.code
            raise
        except asyncio.CancelledError:
            about.outcome = "cancelled"
            raise
        finally:
            served.users -= 1
            about.spent_ns = int(1e9 * (loop.time() - arrived))
            self._statistics_of(served.info).add(about)
            self.observe(about)
        self.gate.charge(CALLER.get(), about.model, about.texts, about.tokens, about.compute_ms)
        return Reply(about.model, about.version, answers)

    async def _accept(
        self, served: Served, asked: Asked, arrived: float, limit: float, about: Finished
    ) -> list[Any]:
        """Check a request and have it answered; its quota is given back if it is not."""
        caller, texts = CALLER.get(), len(asked.inputs)
        check_inputs(served.info.spec, asked.inputs, self.settings)
        work = Work(asked, served.opened, served.shared)
        self._room.demand(work.fresh, writes=bool(asked.limit))
        if limit <= arrived:
            raise ServeError("deadline_exceeded")
        self.gate.check_quota(caller, texts)
        try:
            if self.recorder is None:
                return await work.done(self.pool, arrived, limit, about)
            return await self._recorded(served, asked, arrived, limit, about)
        except BaseException:
            self.gate.give_back(caller, texts)
            raise

    async def _recorded(
        self, served: Served, asked: Asked, arrived: float, limit: float, about: Finished
    ) -> list[Any]:
        """The answers, kept beside the texts; a text that cannot be masked is not even computed."""
        assert self.recorder is not None
        texts = await self.recorder.prepare(served.info.spec, asked.inputs, limit)
        work = Work(asked, served.opened, served.shared)  # much may have been answered meanwhile
        found = await work.done(self.pool, arrived, limit, about)
        self.recorder.keep(served.info, CALLER.get().name, texts, found)
        return found

    def full(self, coming: int = 0) -> bool:
        """Whether any prediction would be refused; false where it depends on what is asked.

        Args:
            coming: Predictions that take their places before it.
        """
        if self._room.has(1, coming) or self.settings.cache:
            return False
        return not any(each.info.spec.writes for each in self._models.listed())

    async def _probe(self, served: Served) -> None:
        """Answer one text, past admission."""
        spec = served.info.spec
        if spec.writes and not self.pool.writing.free:
            return  # every worker writes: it would wait for seconds behind what they are writing
        text: Input = ("ready", "ready") if spec.task == "pair" else "ready"
        done: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        piece = Piece(served.opened.key, [text], "json", 0, 0, 0.0, done, limit=int(spec.writes))
        self.pool.put(piece)
        try:
            await done
        finally:
            self.pool.leave(piece)
            done.cancel()

    def _statistics_of(self, info: ModelInfo) -> ModelStatistics:
        """The counters of a version."""
        key = (info.name, info.version)
        if key not in self._statistics:
            self._statistics[key] = ModelStatistics(*key)
        return self._statistics[key]
