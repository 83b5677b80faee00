"""The one object under REST and gRPC: which models there are, and answers.

It holds the bundles found in a folder, each opened by every worker, and swaps them when the folder
changes: the new one is verified, opened and warmed up beside the old one, which is dropped when
nothing of it waits any more. A request is answered wholly by the version it was given first.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path

from takeroot.bundle.answer import Answer
from takeroot.bundle.spec import Spec
from takeroot.errors import BundleError
from takeroot.serve.caller import ANONYMOUS, Caller, Gate
from takeroot.serve.catalogue import Place, scan
from takeroot.serve.faults import ServeError
from takeroot.serve.pool import Opened, Pool
from takeroot.serve.queue import Piece, Result, pieces
from takeroot.serve.settings import Settings
from takeroot.serve.statistics import Finished, ModelStatistics
from takeroot.serve.wire import Form, Input

VERSION_DIGITS = 12
SHOWN = 20  # model names in a message
PROBE_S = 1.0  # a forward pass for readiness may take
WATCH_S = 1.0  # between two looks at the folder
RETRY_AFTER_S = 1.0

# Who asks: set by whoever admitted the request, in the request's own task.
CALLER: ContextVar[Caller] = ContextVar("CALLER", default=ANONYMOUS)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ModelInfo:
    """A model that is served.

    Args:
        name: From its bundle.
        version: First digits of its hash.
        spec: What bundle.json says.
        sha256: The hash of all that determines answers.
        ready: Whether it answers.
    """

    name: str
    version: str
    spec: Spec
    sha256: str
    ready: bool = True


@dataclass(frozen=True)
class Reply:
    """The answers to a request, all by one version of one model.

    Args:
        model: Its name.
        version: Its version.
        answers: In order of the inputs.
        tokens: Tokens read.
        queue_ms: Until the last of them was handed to a worker.
        compute_ms: Computing time, summed.
    """

    model: str
    version: str
    answers: list[Answer]
    tokens: int
    queue_ms: float
    compute_ms: float


@dataclass(frozen=True)
class Written:
    """The answers to a request, each in JSON; otherwise as ``Reply``."""

    model: str
    version: str
    json: list[bytes]
    tokens: int
    queue_ms: float
    compute_ms: float


@dataclass(frozen=True)
class _Served:
    """An opened bundle and how it is shown."""

    opened: Opened
    info: ModelInfo


@dataclass(frozen=True)
class _Asked:
    """What a request asks of a model: see ``Service.write``."""

    inputs: Sequence[Input]
    deadline: float | None
    form: Form
    top_k: int | None


@dataclass
class Service:
    """Models and answers.

    Args:
        folder: A bundle, or a folder of bundles.
        settings: Limits.
        pool: The workers.
        gate: Keeps quotas and usage; the caller is ``CALLER``.
        observe: Called after every request.
    """

    folder: Path
    settings: Settings
    pool: Pool
    gate: Gate
    observe: Callable[[Finished], None] = lambda _: None
    _served: dict[str, _Served] = field(default_factory=dict)  # by place key
    _by_name: dict[str, list[_Served]] = field(default_factory=dict)  # newest first
    _hidden: set[str] = field(default_factory=set)  # names unloaded on request
    _refused: set[str] = field(default_factory=set)  # place keys that could not be opened
    _in_use: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    _statistics: dict[tuple[str, str], ModelStatistics] = field(default_factory=dict)
    _changing: asyncio.Lock = field(default_factory=asyncio.Lock)
    was_ready: bool = False
    draining: bool = False  # the end is near: everything is answered, but readiness is off
    _last_probe: float = -1e9

    async def start(self) -> None:
        """Start the workers and open every bundle.

        Raises:
            BundleError: If there is none, or one cannot be opened.
        """
        places = scan(self.folder)
        if not places:
            raise BundleError(f"{self.folder}: holds no bundle (a folder with manifest.json)")
        await self.pool.start()
        for place in places:
            await self._open(place)
        self._arrange()

    def models(self) -> list[ModelInfo]:
        """What is served, by name, the newest version of each first."""
        return [each.info for name in sorted(self._by_name) for each in self._by_name[name]]

    def find(self, name: str, version: str | None = None) -> ModelInfo:
        """The newest version of a model, or the one asked for.

        Raises:
            ServeError: ``unknown_model``.
        """
        return self._find(name, version).info

    async def predict(
        self,
        name: str,
        inputs: Sequence[Input],
        *,
        version: str | None = None,
        deadline: float | None = None,
    ) -> Reply:
        """Answers as values.

        Cancelling the task frees the request's place in the queue.

        Args:
            name: The model.
            inputs: Texts, or for a pair task pairs of texts.
            version: Of the model; the newest when absent.
            deadline: On the loop's clock.

        Raises:
            ServeError: If the request cannot be accepted, or not answered in time.
        """
        asked = _Asked(inputs, deadline, "answers", None)
        found, about = await self._answer(self._find(name, version), asked)
        answers = [each for part in found for each in part.answers]
        times = about.tokens, about.queue_ms, about.compute_ms
        return Reply(about.model, about.version, answers, *times)

    async def write(
        self,
        name: str,
        inputs: Sequence[Input],
        *,
        version: str | None = None,
        deadline: float | None = None,
        top_k: int | None = None,
    ) -> Written:
        """As ``predict``, with the answers in JSON and in them the ``top_k`` likeliest labels."""
        asked = _Asked(inputs, deadline, "json", top_k)
        found, about = await self._answer(self._find(name, version), asked)
        written = [each for part in found for each in part.json]
        times = about.tokens, about.queue_ms, about.compute_ms
        return Written(about.model, about.version, written, *times)

    def live(self) -> bool:
        """Whether the process runs."""
        return True

    async def ready(self) -> bool:
        """Whether every model answers: a real text goes through queue, worker and network."""
        now = asyncio.get_running_loop().time()
        if self.was_ready and not self.draining and now - self._last_probe < PROBE_S:
            return True
        self.was_ready = False
        if self.draining or not self._by_name:
            return False
        try:
            async with asyncio.timeout(PROBE_S):
                await asyncio.gather(*(self._probe(each[0]) for each in self._by_name.values()))
        except (ServeError, TimeoutError):
            return False
        self.was_ready, self._last_probe = True, asyncio.get_running_loop().time()
        return True

    async def load(self, name: str) -> None:
        """Serve a model that was unloaded, or look whether the folder holds it now.

        Raises:
            ServeError: ``unknown_model``.
        """
        self._hidden.discard(name)
        await self.refresh()
        self._find(name, None)

    async def unload(self, name: str) -> None:
        """Stop serving a model until it is loaded again.

        Raises:
            ServeError: ``unknown_model``.
        """
        self._find(name, None)
        self._hidden.add(name)
        self._arrange()

    def repository(self) -> list[tuple[str, str, str]]:
        """Name, version and state (READY or UNAVAILABLE) of every bundle that is open."""
        shown = {id(each) for versions in self._by_name.values() for each in versions}
        return sorted(
            (each.info.name, each.info.version, "READY" if id(each) in shown else "UNAVAILABLE")
            for each in self._served.values()
        )

    def statistics(
        self, name: str | None = None, version: str | None = None
    ) -> list[ModelStatistics]:
        """What each version has done.

        Raises:
            ServeError: ``unknown_model``.
        """
        if name is not None:
            self._find(name, version)
        return [
            self._statistics_of(info)
            for info in self.models()
            if name in (None, info.name) and version in (None, info.version)
        ]

    async def watch(self) -> None:
        """Follow what happens in the folder, for ever."""
        while True:
            await asyncio.sleep(WATCH_S)
            try:
                await self.refresh()
            except (BundleError, OSError) as error:
                log.error("the folder of bundles cannot be read: %s", error)

    async def refresh(self) -> None:
        """Open what is new in the folder, then drop what is gone."""
        async with self._changing:
            places = {place.key: place for place in await asyncio.to_thread(scan, self.folder)}
            self._refused &= set(places)
            paths = {place.path for place in places.values()}
            for key, place in places.items():
                if key not in self._served and key not in self._refused:
                    try:
                        await self._open(place)
                    except BundleError as error:  # perhaps still being written: the old one stays
                        self._refused.add(key)
                        log.error("not served: %s", error)
            opened = {self._served[key].opened.path for key in places if key in self._served}
            gone = [
                key
                for key, each in self._served.items()
                if key not in places
                and (each.opened.path in opened or each.opened.path not in paths)
            ]
            old = [self._served.pop(key) for key in gone]
            self._arrange()
        for each in old:
            await self._drop(each)

    async def _open(self, place: Place) -> None:
        """Open one bundle in all workers."""
        opened = await self.pool.open(place.key, place.path)
        info = ModelInfo(
            opened.spec.name, opened.sha256[:VERSION_DIGITS], opened.spec, opened.sha256
        )
        self._served[place.key] = _Served(opened, info)
        log.info("serving %s version %s", info.name, info.version)

    async def _drop(self, served: _Served) -> None:
        """Forget a bundle when the last request that was given it is answered."""
        key = served.opened.key
        while self._in_use.get(key):
            await asyncio.sleep(0.05)
        self._in_use.pop(key, None)
        self.pool.forget(key)
        log.info("no longer serving %s version %s", served.info.name, served.info.version)

    def _arrange(self) -> None:
        """Put the versions of each model in order, in one step: no request sees half of it."""
        by_name: dict[str, list[_Served]] = defaultdict(list)
        for each in self._served.values():
            if each.info.name not in self._hidden:
                by_name[each.info.name].append(each)
        for versions in by_name.values():
            versions.sort(key=lambda each: (each.opened.created, each.opened.key), reverse=True)
        self._by_name = dict(by_name)

    def _find(self, name: str, version: str | None) -> _Served:
        """The bundle a request is answered by."""
        for each in self._by_name.get(name, ()):
            if version in (None, each.info.version):
                return each
        known = [
            f"{info.name} ({info.version})" if info.name == name else info.name
            for info in self.models()
        ]
        raise ServeError("unknown_model", known=", ".join(dict.fromkeys(known[:SHOWN])) or "none")

    async def _answer(self, served: _Served, asked: _Asked) -> tuple[list[Result], Finished]:
        """The results of all pieces of a request, and what it was."""
        loop = asyncio.get_running_loop()
        arrived = loop.time()
        about = Finished(served.info.name, served.info.version, len(asked.inputs))
        self._in_use[served.opened.key] += 1
        try:
            found = await self._accept(served, asked, arrived)
            about.outcome = "ok"
            about.runs = len(found)
            about.tokens = sum(each.tokens for each in found)
            about.abstained = sum(each.abstained for each in found)
            about.queue_ms = 1000 * (max(each.started for each in found) - arrived)
            about.compute_ms = 1000 * sum(each.compute_s for each in found)
        except ServeError as error:
            about.outcome = error.code
            raise
        except asyncio.CancelledError:
            about.outcome = "cancelled"
            raise
        finally:
            self._in_use[served.opened.key] -= 1
            about.spent_ns = int(1e9 * (loop.time() - arrived))
            self._statistics_of(served.info).add(about)
            self.observe(about)
        self.gate.charge(CALLER.get(), about.model, about.texts, about.tokens, about.compute_ms)
        return found, about

    async def _accept(self, served: _Served, asked: _Asked, arrived: float) -> list[Result]:
        """Check a request and have it answered; its quota is given back if it is not."""
        caller, texts = CALLER.get(), len(asked.inputs)
        self._check(served, asked.inputs)
        self._make_room(texts)
        limit = min(arrived + self.settings.timeout_s, asked.deadline or float("inf"))
        if limit <= arrived:
            raise ServeError("deadline_exceeded")
        self.gate.check_quota(caller, texts)
        try:
            return await self._wait(served, asked, limit, arrived)
        except BaseException:
            self.gate.give_back(caller, texts)
            raise

    def _check(self, served: _Served, inputs: Sequence[Input]) -> None:
        """Refuse what is not what the model reads, or too much of it."""
        settings = self.settings
        if not inputs:
            raise ServeError("invalid_request", reason="there is no input")
        if len(inputs) > settings.max_inputs:
            raise ServeError("too_many_inputs", limit=settings.max_inputs)
        paired = served.info.spec.task == "pair"
        for item in inputs:
            if isinstance(item, str) is paired:
                wanted = "pairs of texts" if paired else "texts"
                raise ServeError("invalid_request", reason=f"this model's inputs are {wanted}")
            longest = len(item) if isinstance(item, str) else max(map(len, item))
            if longest > settings.max_chars:
                raise ServeError("text_too_long", limit=settings.max_chars)

    def _make_room(self, texts: int) -> None:
        """Refuse a request that would make the queue longer than it may be."""
        waiting = self.pool.queue.waiting_texts
        if waiting and waiting + texts > self.settings.queue_texts:
            raise ServeError("overloaded", retry_after_s=RETRY_AFTER_S)

    async def _wait(
        self, served: _Served, asked: _Asked, limit: float, arrived: float
    ) -> list[Result]:
        """Let the pieces be answered; when time is up or the client leaves, none of them waits."""
        loop = asyncio.get_running_loop()
        spec, key = served.opened.spec, served.opened.key
        started: list[Piece] = []
        start = ahead = 0
        for count, tokens in pieces(asked.inputs, spec.max_tokens, spec.pack_tokens):
            part = asked.inputs[start : start + count]
            done: asyncio.Future[Result] = loop.create_future()
            piece = Piece(key, part, asked.form, asked.top_k, tokens, arrived, done)
            self.pool.put(piece, ahead)
            started.append(piece)
            start, ahead = start + count, ahead + tokens
        timer = loop.call_at(limit, _expire, started)
        try:
            return [await piece.done for piece in started]
        finally:
            timer.cancel()
            for piece in started:
                self.pool.queue.leave(piece)
                if not piece.done.cancel() and not piece.done.cancelled():
                    piece.done.exception()  # of the others, too: nobody else asks for it

    async def _probe(self, served: _Served) -> None:
        """Answer one text, past admission."""
        text: Input = ("ready", "ready") if served.info.spec.task == "pair" else "ready"
        done: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self.pool.put(Piece(served.opened.key, [text], "json", 0, 0, 0.0, done))
        await done

    def _statistics_of(self, info: ModelInfo) -> ModelStatistics:
        """The counters of a version."""
        key = (info.name, info.version)
        if key not in self._statistics:
            self._statistics[key] = ModelStatistics(*key)
        return self._statistics[key]


def _expire(started: list[Piece]) -> None:
    """Time is up: whatever is not answered yet never will be."""
    for piece in started:
        if not piece.dropped:
            piece.done.set_exception(ServeError("deadline_exceeded"))
