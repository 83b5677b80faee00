"""The one queue: work in order of arrival plus length, handed out a pack at a time.

A piece of work stands at its arrival time plus a time in proportion to its tokens, so that short
requests pass long ones, and none is passed for ever: whoever waits longer than its own length is
served (earliest-deadline-first with a deadline by size; Liu and Layland 1973). A free worker takes
what is there at once; nobody waits for a batch to fill.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass, field

from takeroot.bundle.answer import Answer
from takeroot.serve.wire import Form, Input, Prompt

SECONDS_A_TOKEN = 1e-4  # a little more than a token costs
MOST_PASSED = 8  # pieces of other models or too long ones looked past to fill a pack
LEAST_LEFT = 64  # pieces nobody waits for are cleared away when there are more, and more than half
BYTES_A_TOKEN = 3  # of UTF-8: an English token has four, a Chinese one three


@dataclass(slots=True, eq=False)
class Piece:
    """Texts of one request that are answered in one run.

    Args:
        key: The model.
        inputs: Texts or pairs.
        form: Of the answers.
        top_k: Most probabilities an answer lists.
        tokens: About how many there are.
        arrived: When, on the loop's clock.
        done: Gets the worker's answers.
        tries: Workers that were given it and died.
        alone: Whether it is run without others, because a run of it with others failed.
        first: Whether no piece of its request comes before it.
        waiting: Whether it counts among the texts that wait.
        limit: Most tokens of the one text that is to be written (generate, seq2seq).
        heard: Gets the pieces of that text as they are written; None if they are not wanted.
        told: Whether any of them was given.
    """

    key: str
    inputs: Sequence[Input | Prompt]
    form: Form
    top_k: int | None
    tokens: int
    arrived: float
    done: asyncio.Future[Result]
    tries: int = 0
    alone: bool = False
    first: bool = False
    waiting: bool = False
    limit: int = 0
    heard: Callable[[str], None] | None = None
    told: bool = False

    @property
    def dropped(self) -> bool:
        """Whether nobody waits for it any more: its client left, or its time is up."""
        return self.done.done()


@dataclass(slots=True)
class Result:
    """What a worker made of a piece.

    Args:
        json: Answers in JSON, or
        answers: as values, by the form asked for.
        tokens: Tokens read of each text, and written for it.
        abstained: Whether each text was left without an answer.
        started: When it was handed to a worker, on the loop's clock.
        compute_s: Its share of the run's computing time.
        runs: 1 for the first piece of a run, 0 for the others: the sum counts runs.
        written: How many of the tokens were written.
    """

    json: list[bytes]
    answers: list[Answer]
    tokens: list[int]
    abstained: list[bool]
    started: float
    compute_s: float
    runs: int
    written: int = 0


@dataclass
class PackQueue:
    """Pieces that wait, and some that nobody waits for any more."""

    waiting_texts: int = 0
    waiting_tokens: int = 0
    _waiting: int = 0  # pieces
    _heap: list[tuple[float, int, Piece]] = field(default_factory=list)
    _counter: Iterator[int] = field(default_factory=itertools.count)

    def __bool__(self) -> bool:
        return bool(self._heap)

    def put(self, piece: Piece, ahead: float = 0.0) -> None:
        """Let a piece wait; ``ahead`` tokens of its own request stand before it."""
        place = piece.arrived + SECONDS_A_TOKEN * (ahead + piece.tokens)
        heapq.heappush(self._heap, (place, next(self._counter), piece))
        self.waiting_texts += len(piece.inputs)
        self.waiting_tokens += piece.tokens
        self._waiting += 1
        piece.waiting = True

    def requests(self, key: str) -> int:
        """Requests for a model of which nothing has been handed out yet."""
        return sum(piece.first and piece.waiting and piece.key == key for _, _, piece in self._heap)

    def leave(self, piece: Piece) -> None:
        """Free the piece's place: nobody waits for it any more."""
        self._off(piece)
        left = len(self._heap) - self._waiting
        if left > max(LEAST_LEFT, self._waiting):
            self._heap = [entry for entry in self._heap if entry[2].waiting]
            heapq.heapify(self._heap)

    def _off(self, piece: Piece) -> None:
        """Count a piece no more."""
        if piece.waiting:
            piece.waiting = False
            self.waiting_texts -= len(piece.inputs)
            self.waiting_tokens -= piece.tokens
            self._waiting -= 1

    def elsewhere(self, keys: Container[str]) -> list[Piece]:
        """The pieces of other models than these, taken out of the queue."""
        found = [entry[2] for entry in self._heap if entry[2].key not in keys]
        self._heap = [entry for entry in self._heap if entry[2].key in keys]
        heapq.heapify(self._heap)
        for piece in found:
            self._off(piece)
        return found

    def take(self, pack_tokens: int, keys: Container[str] | None = None) -> list[Piece]:
        """The next pieces, of one model and form, up to a pack; one at least if any waits.

        Pieces that nobody waits for any more are dropped on the way.

        Args:
            pack_tokens: A pack.
            keys: Models to choose from; None for all.
        """
        taken: list[Piece] = []
        passed: list[tuple[float, int, Piece]] = []
        others: list[tuple[float, int, Piece]] = []
        tokens = 0
        while self._heap and tokens < pack_tokens and len(passed) < MOST_PASSED:
            entry = heapq.heappop(self._heap)
            piece = entry[2]
            if piece.dropped:
                self._off(piece)
            elif keys is not None and piece.key not in keys:
                others.append(entry)
            elif taken and not (_alike(piece, taken[0]) and tokens + piece.tokens <= pack_tokens):
                passed.append(entry)
            else:
                taken.append(piece)
                tokens += piece.tokens
                self._off(piece)
        for entry in passed + others:
            heapq.heappush(self._heap, entry)
        return taken


def _alike(one: Piece, other: Piece) -> bool:
    """Whether two pieces can be answered in one run."""
    if one.alone or other.alone:
        return False
    return (one.key, one.form, one.top_k) == (other.key, other.form, other.top_k)


def tokens_of(item: Input, max_tokens: int) -> int:
    """About how many tokens of a text (or pair) are read, at a glance."""
    size = len(item.encode()) if isinstance(item, str) else sum(len(part.encode()) for part in item)
    return min(2 + size // BYTES_A_TOKEN, max_tokens)


def pieces(inputs: Sequence[Input], max_tokens: int, pack_tokens: int) -> Iterator[tuple[int, int]]:
    """Cut a request into stretches of about a pack: number of texts and tokens of each."""
    count = tokens = 0
    for item in inputs:
        size = tokens_of(item, max_tokens)
        if count and tokens + size > pack_tokens:
            yield count, tokens
            count = tokens = 0
        count += 1
        tokens += size
    if count:
        yield count, tokens
