"""Texts that are to be written: who waits, which worker writes what, and who has left.

Writing takes seconds where a label takes milliseconds, so it has a queue of its own and a place of
its own in every worker: one run of a few texts. A text whose client leaves is given up at the next
token, and its place goes to whoever waits.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import cast

from takeroot.serve.faults import ServeError
from takeroot.serve.queue import PackQueue, Piece, Result, tokens_of
from takeroot.serve.wire import (
    Ended,
    FromWorker,
    Leave,
    Prompt,
    Told,
    TooLong,
    Wanted,
    Write,
    Wrote,
)
from takeroot.serve.worker_link import Worker

BATCH = 4  # texts of a run: a step of four costs little more than of one, and four share a core
TOKEN_COST = 200  # of a written token, in tokens read of a model of labels: where it stands in line
MOST_TRIES = 3  # workers that may die over a text

log = logging.getLogger(__name__)

Observe = Callable[[str, int, int], None]


@dataclass
class Lane:
    """The texts that wait to be written, and those that are.

    Args:
        workers: The pool's; each writes one run at a time.
        observe: Called with every finished run: model, texts, tokens read and written.
    """

    workers: Sequence[Worker]
    observe: Observe
    queue: PackQueue = field(default_factory=PackQueue)
    _numbers: itertools.count[int] = field(default_factory=itertools.count)

    @property
    def busy(self) -> bool:
        """Whether any text waits or is being written."""
        return bool(self.queue.waiting_texts) or any(each.writing for each in self.workers)

    @property
    def free(self) -> bool:
        """Whether a worker has nothing to write."""
        return any(not each.writing for each in self.workers)

    def dispatch(self) -> None:
        """Share out what waits among the workers that write nothing."""
        while self.queue.waiting_texts:
            idle = [each for each in self.workers if not each.writing and each.transport]
            share = min(BATCH, -(-self.queue.waiting_texts // max(1, len(idle))))
            if not any(self._give(worker, share) for worker in idle):
                return

    def _give(self, worker: Worker, share: int) -> bool:
        """Have a worker write some texts of one model; whether there were any for it."""
        taken = self.queue.take(1, worker.open)
        while taken and len(taken) < share and not taken[0].alone:
            more = self.queue.take(1, {taken[0].key})
            if more and more[0].alone:
                self.queue.put(more.pop())
            if not more:
                break
            taken += more
        if not taken:
            return False
        number = next(self._numbers)
        texts = [
            Wanted(cast(Prompt, each.inputs[0]), each.limit, each.form, each.heard is not None)
            for each in taken
        ]
        worker.writing[number] = Batch(taken, asyncio.get_running_loop().time())
        worker.send(Write(number, taken[0].key, texts))
        for place, piece in enumerate(taken):
            piece.done.add_done_callback(partial(_left, worker, number, place))
        return True

    def heard(self, worker: Worker, message: FromWorker) -> bool:
        """Take in what a worker says, if it is about a text it writes."""
        if isinstance(message, Ended):
            self._finish(worker.writing.pop(message.number), message.error)
            return True
        if not isinstance(message, Told | Wrote | TooLong):
            return False
        batch = worker.writing[message.number]
        piece = batch.pieces[message.place]
        if piece.dropped:
            return True
        if isinstance(message, Told):
            assert piece.heard is not None  # or it would not be told
            piece.told = True
            piece.heard(message.text)
        elif isinstance(message, Wrote):
            batch.tokens += message.read + message.written
            piece.done.set_result(_result(message, batch))
        else:
            piece.done.set_exception(ServeError("prompt_too_long", limit=message.limit))
        return True

    def _finish(self, batch: Batch, error: str | None) -> None:
        """A run is over: whoever waits is next."""
        if error is None:
            self.observe(batch.pieces[0].key, len(batch.pieces), batch.tokens)
        else:
            log.error("writing failed in a worker: %s", error)
            hopeless = len(batch.pieces) == 1
            self._again(batch, ServeError("internal"), hopeless=hopeless)
        self.dispatch()

    def lost(self, worker: Worker) -> None:
        """A worker has ended: others write what it had not begun to tell."""
        for batch in worker.writing.values():
            for piece in batch.pieces:
                piece.tries += 1
            self._again(batch, ServeError("interrupted", retry_after_s=1.0))
        worker.writing.clear()

    def _again(self, batch: Batch, error: ServeError, *, hopeless: bool = False) -> None:
        """Let texts be written once more, one by one; those that were begun to be told fail."""
        for piece in batch.pieces:
            if piece.dropped:
                continue
            if hopeless or piece.told or piece.tries >= MOST_TRIES:
                piece.done.set_exception(error)
            else:
                piece.alone = True
                self.queue.put(piece)


@dataclass
class Batch:
    """Texts that a worker writes.

    Args:
        pieces: One for each.
        started: When, on the loop's clock.
        tokens: Read and written so far.
    """

    pieces: list[Piece]
    started: float
    tokens: int = 0


def cost_of(prompt: Prompt, limit: int, max_tokens: int) -> int:
    """What a text to write counts for in line: short ones pass long ones."""
    texts = [prompt] if isinstance(prompt, str) else [turn.content for turn in prompt]
    return sum(tokens_of(each, max_tokens) for each in texts) + TOKEN_COST * limit


def _left(worker: Worker, number: int, place: int, done: asyncio.Future[Result]) -> None:
    """Have a worker give up a text that nobody waits for any more."""
    if done.cancelled() and number in worker.writing:
        worker.send(Leave(number, place))


def _result(said: Wrote, batch: Batch) -> Result:
    """A written text as what came of its piece."""
    json, answers = ([said.answer], []) if isinstance(said.answer, bytes) else ([], [said.answer])
    first = sum(piece.done.done() for piece in batch.pieces) == 0
    return Result(
        json,
        answers,
        [said.read + said.written],
        [False],
        batch.started,
        said.compute_ns / 1e9 / len(batch.pieces),
        int(first),
        said.written,
    )
