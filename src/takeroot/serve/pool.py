"""Worker processes: one a core, respawned when they die, their work given to the others.

Each process computes on one thread. The pool hands it up to two runs at a time, so that it need
not wait for the next one while its answers travel.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

from takeroot.bundle.spec import Spec, parse_spec
from takeroot.errors import BundleError
from takeroot.serve.faults import ServeError
from takeroot.serve.queue import PackQueue, Piece, Result
from takeroot.serve.wire import Broken, Done, Failed, FromWorker, Input, Loaded, Run
from takeroot.serve.worker_link import Interrupted, Worker
from takeroot.serve.writing import Lane

DEPTH = 2  # runs a worker is given at a time
PACK_TOKENS = 128  # estimated tokens of a run; the runtime cuts its packs itself
MOST_TRIES = 3  # workers that may die over a piece; the last one is given nothing else
LATE_SHARE = 0.1  # of the last run in what a token took of late
RESPAWN_S = 0.2  # between two attempts to start a worker that dies at once

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Opened:
    """A model that every worker has open.

    Args:
        key: What the pool calls it.
        path: The bundle's folder.
        spec: What bundle.json says.
        sha256: Of all that determines answers.
        created: When the bundle was made.
    """

    key: str
    path: str
    spec: Spec
    sha256: str
    created: str


@dataclass
class Pool:
    """The workers of one server.

    Args:
        size: How many.
        observe: Called with every finished run: model, texts, tokens.
    """

    size: int
    observe: Callable[[Opened, int, int], None] = lambda *_: None
    queue: PackQueue = field(default_factory=PackQueue)
    models: dict[str, Opened] = field(default_factory=dict)
    respawned: int = 0
    _workers: list[Worker] = field(default_factory=list)
    _numbers: itertools.count[int] = field(default_factory=itertools.count)
    _token_s: float = 0.0  # what a token took of late
    _stopping: bool = False
    _due: bool = False  # dispatch is about to be called
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    writing: Lane = field(init=False)

    def __post_init__(self) -> None:
        self.writing = Lane(self._workers, self._wrote)

    async def start(self) -> None:
        """Start all workers."""
        await asyncio.gather(*(self._add() for _ in range(self.size)))

    async def _add(self) -> None:
        """Start a worker."""
        self._workers.append(await Worker.spawn(self.heard, self.lost))

    async def stop(self) -> None:
        """End all workers; what they are doing is lost, so wait for it before."""
        self._stopping = True
        for task in self._tasks:
            task.cancel()
        for worker in self._workers:
            if worker.transport is not None:
                worker.transport.close()
        for worker in self._workers:
            await asyncio.to_thread(worker.end)

    @property
    def pids(self) -> list[int]:
        """Process ids of the workers."""
        return [worker.process.pid for worker in self._workers]

    @property
    def busy(self) -> bool:
        """Whether any piece waits or is being answered."""
        labels = bool(self.queue) or any(worker.runs for worker in self._workers)
        return labels or self.writing.busy

    async def open(self, key: str, path: str) -> Opened:
        """Have every worker verify, open and warm up a bundle, where it has not yet.

        Raises:
            BundleError: If one of them cannot; ``Interrupted`` if there is none, or one ended.
        """
        try:
            while lacking := [worker for worker in self._workers if key not in worker.open]:
                await asyncio.gather(*(worker.load(key, path) for worker in lacking))
            said = [worker.open[key] for worker in self._workers]
            if not said:
                raise Interrupted(f"{path}: there is no worker to open it")
            if len({each.sha256 for each in said}) > 1:
                raise BundleError(f"{path}: changed while it was opened")
        except BundleError:
            if key not in self.models:
                self.forget(key)
            raise
        first = said[0]
        opened = Opened(key, path, parse_spec(first.spec), first.sha256, first.created)
        return self.models.setdefault(key, opened)

    @property
    def wait_s(self) -> float:
        """How long a piece that comes now may have to wait, by what was computed of late."""
        return self.queue.waiting_tokens * self._token_s / max(1, len(self._workers))

    def everywhere(self, key: str) -> bool:
        """Whether every worker has a model open."""
        return key in self.models and all(key in worker.open for worker in self._workers)

    def forget(self, key: str) -> None:
        """Have the workers drop a model that nobody waits for any more."""
        self.models.pop(key, None)
        for worker in self._workers:
            worker.forget(key)

    def put(self, piece: Piece, ahead: int = 0) -> None:
        """Let a piece be answered, or refuse it if its model is open nowhere."""
        if piece.key not in self.models:
            _fail([piece], ServeError("not_ready", retry_after_s=1.0))
            return
        self._queue_of(piece).put(piece, ahead)
        if not self._due:  # what else has come by then goes into the same runs
            self._due = True
            asyncio.get_running_loop().call_soon(self.dispatch)

    def leave(self, piece: Piece) -> None:
        """Free a piece's place: nobody waits for it any more."""
        self._queue_of(piece).leave(piece)

    def _queue_of(self, piece: Piece) -> PackQueue:
        """Where the piece waits: texts that are written have a queue of their own."""
        return self.writing.queue if piece.limit else self.queue

    def pending(self, key: str) -> int:
        """Requests for a model of which nothing has been handed out yet."""
        return self.queue.requests(key) + self.writing.queue.requests(key)

    def dispatch(self) -> None:
        """Hand waiting pieces to workers that have room.

        What waits is shared out evenly among the workers that are free. One that computes is given
        a second run only when a whole one waits: a text computed alone costs half as much again as
        one of three, and what comes meanwhile makes its next run fuller.
        """
        self._due = False
        self.writing.dispatch()
        while self.queue:
            tokens = self.queue.waiting_tokens
            free = sum(not each.runs for each in self._workers)
            share = min(PACK_TOKENS, max(1, -(-tokens // (free or 1))))
            for worker in sorted(self._workers, key=lambda each: len(each.runs)):
                if len(worker.runs) >= DEPTH or worker.transport is None:
                    return
                if worker.runs and tokens < PACK_TOKENS:
                    return
                taken = self.queue.take(share, worker.open)
                if taken:
                    self._run(worker, taken)
                    break
            else:
                return

    def _run(self, worker: Worker, taken: list[Piece]) -> None:
        """Give a worker some pieces to answer in one run."""
        first = taken[0]
        number = next(self._numbers)
        inputs = [item for piece in taken for item in piece.inputs]
        try:
            worker.send(Run(number, first.key, cast(list[Input], inputs), first.form, first.top_k))
        except (ValueError, OverflowError) as error:  # it cannot be written down: no worker is lost
            log.error("a run cannot be sent: %s", type(error).__name__)
            self._one_by_one(taken)
            return
        worker.runs[number] = (taken, asyncio.get_running_loop().time())

    def heard(self, worker: Worker, message: FromWorker) -> None:
        """Take in what a worker says."""
        if self.writing.heard(worker, message):
            return
        if isinstance(message, Done | Broken):
            taken, started = worker.runs.pop(message.number)
            self.dispatch()  # the worker goes on while the answers are passed on
            if isinstance(message, Done):
                self._finish(taken, started, message)
            else:
                log.error("a run failed in a worker: %s", message.error)
                self._one_by_one(taken)
            return
        assert isinstance(message, Loaded | Failed)  # the lane has heard all others
        waiting = worker.loading.pop(message.key, None)
        problem = message.message if isinstance(message, Failed) else ""
        if isinstance(message, Loaded):
            worker.open[message.key] = message
            known = self.models.get(message.key)
            if known is not None and known.sha256 != message.sha256:
                worker.forget(message.key)  # one key never stands for two bundles
                problem = f"{known.path}: is another bundle by now"
        if waiting is None or waiting.done():
            return
        if isinstance(message, Loaded) and not problem:
            waiting.set_result(message)
        else:
            waiting.set_exception(BundleError(problem))

    def _finish(self, taken: list[Piece], started: float, said: Done) -> None:
        """Give each piece its part of a run's answers."""
        texts = len(said.tokens)
        seconds = said.compute_ns / 1e9
        if opened := self.models.get(taken[0].key):
            self.observe(opened, texts, sum(said.tokens))
        tokens = sum(piece.tokens for piece in taken)
        if tokens:
            self._token_s += LATE_SHARE * (seconds / tokens - self._token_s)
        start, runs = 0, 1
        for piece in taken:
            end = start + len(piece.inputs)
            if not piece.done.done():
                piece.done.set_result(
                    Result(
                        said.json[start:end],
                        said.answers[start:end],
                        said.tokens[start:end],
                        said.abstained[start:end],
                        started,
                        seconds * (end - start) / texts,
                        runs,
                    )
                )
                runs = 0
            start = end

    def _wrote(self, key: str, texts: int, tokens: int) -> None:
        """A run of texts was written."""
        if opened := self.models.get(key):
            self.observe(opened, texts, tokens)

    def _one_by_one(self, taken: list[Piece]) -> None:
        """What failed in company is tried alone, so that one text fails no other's request."""
        if len(taken) == 1:
            _fail(taken, ServeError("internal"))
            return
        for piece in taken:
            piece.alone = True
            if not piece.dropped:
                self.put(piece)

    def lost(self, worker: Worker) -> None:
        """A worker has ended: what it was doing goes to the others, and it is replaced."""
        for waiting in worker.loading.values():
            if not waiting.done():
                waiting.set_exception(Interrupted("a worker ended while it opened the bundle"))
        if self._stopping or worker not in self._workers:  # one that is not ready yet is retried
            return
        self._workers.remove(worker)
        log.error("worker %d ended, its work is given to another", worker.process.pid)
        for taken, _ in worker.runs.values():
            for piece in taken:
                piece.tries += 1
                piece.alone = piece.tries == MOST_TRIES - 1
                if piece.tries >= MOST_TRIES:
                    _fail([piece], ServeError("internal"))
                elif not piece.dropped:
                    self.queue.put(piece)
        self.writing.lost(worker)
        self.dispatch()
        task = asyncio.get_running_loop().create_task(self._replace(worker))
        self._tasks.add(task)
        task.add_done_callback(self._replaced)

    async def _replace(self, dead: Worker) -> None:
        """Start a worker in place of a dead one, with the models open, and give it work."""
        await asyncio.to_thread(dead.end)
        while True:
            fresh = await Worker.spawn(self.heard, self.lost)
            self.respawned += 1
            try:
                await self._reopen(fresh)
            except Interrupted as error:
                log.error("a new worker ended: %s", error)
                await asyncio.to_thread(fresh.end)
                await asyncio.sleep(RESPAWN_S)
                continue
            break
        self._workers.append(fresh)
        self.dispatch()

    async def _reopen(self, fresh: Worker) -> None:
        """Have a new worker open all models; it does without those it cannot open.

        Raises:
            Interrupted: If it ends.
        """
        without: set[str] = set()
        while lacking := self.models.keys() - fresh.open.keys() - without:
            for model in [self.models[key] for key in lacking]:
                try:
                    await fresh.load(model.key, model.path)
                except Interrupted:
                    raise
                except BundleError as error:
                    without.add(model.key)
                    log.error("a new worker does without a model: %s", error)
        for key in fresh.open.keys() - self.models.keys():  # forgotten meanwhile
            fresh.forget(key)

    def _replaced(self, task: asyncio.Task[None]) -> None:
        """Give up the models that no worker has open, when none is being started any more."""
        self._tasks.discard(task)
        if self._tasks or self._stopping:
            return
        kept = {key for key in self.models if any(key in each.open for each in self._workers)}
        for key in self.models.keys() - kept:
            log.error("%s: open in no worker any more", self.models.pop(key).path)
        stranded = self.queue.elsewhere(self.models) + self.writing.queue.elsewhere(self.models)
        _fail(stranded, ServeError("not_ready", retry_after_s=1.0))


def _fail(taken: list[Piece], error: ServeError) -> None:
    """Let whoever waits for the pieces know."""
    for piece in taken:
        if not piece.done.done():
            piece.done.set_exception(error)
