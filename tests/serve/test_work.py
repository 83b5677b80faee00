"""Requests that come, leave and run out of time in any order, over one queue."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from takeroot.bundle import Spec
from takeroot.bundle.answer import Answer
from takeroot.serve.cache import Cache
from takeroot.serve.faults import ServeError
from takeroot.serve.flight import Flights
from takeroot.serve.pool import Opened
from takeroot.serve.queue import PackQueue, Piece, Result
from takeroot.serve.statistics import Finished
from takeroot.serve.work import Asked, Work

SPEC = Spec.model_validate(
    {"name": "m", "task": "classify", "labels": ("a", "b"), "runtime": "linear", "pack_tokens": 16}
)
MODEL = Opened("m", "", SPEC, "0" * 64, "")


@dataclass
class Hand:
    """A pool whose work is done when the test says so."""

    queue: PackQueue = field(default_factory=PackQueue)
    given: list[Piece] = field(default_factory=list)
    computed: Counter[Any] = field(default_factory=Counter)

    def put(self, piece: Piece, ahead: int = 0) -> None:
        self.queue.put(piece, ahead)

    def leave(self, piece: Piece) -> None:
        self.queue.leave(piece)

    def take(self) -> None:
        """Let a worker have some."""
        self.given += self.queue.take(32)

    def finish(self, error: ServeError | None = None) -> None:
        """A worker is done with what it was given."""
        for piece in self.given:
            self.computed.update(piece.inputs)
            if not piece.done.done() and error is not None:
                piece.done.set_exception(error)
            elif not piece.done.done():
                piece.done.set_result(result(piece))
        self.given = []


def result(piece: Piece) -> Result:
    """Answers that tell for which text, and how, they were asked."""
    told = [f"{text}/{piece.form}/{piece.top_k}" for text in piece.inputs]
    written = [each.encode() for each in told] if piece.form == "json" else []
    values = [Answer(label=each) for each in told] if piece.form == "answers" else []
    tokens, abstained = [len(text) for text in piece.inputs], ["b" in text for text in piece.inputs]
    return Result(written, values, tokens, abstained, 0.0, 1.0, 1)


def expected(asked: Asked) -> list[Any]:
    told = [f"{text}/{asked.form}/{asked.top_k}" for text in asked.inputs]
    if asked.form == "json":
        return [each.encode() for each in told]
    return [Answer(label=each) for each in told]


@dataclass
class Request:
    """One that is under way."""

    asked: Asked
    about: Finished
    task: asyncio.Task[list[Any]]


def ask(hand: Hand, asked: Asked, shared: Flights | None, limit_s: float = 600) -> Request:
    about = Finished("m", "0", len(asked.inputs))
    loop = asyncio.get_running_loop()

    async def answers() -> list[Any]:
        work = Work(asked, MODEL, shared)
        limit = loop.time() + limit_s
        return await work.done(hand, 0.0, limit, about)  # type: ignore[arg-type]

    return Request(asked, about, loop.create_task(answers()))


async def settle() -> None:
    """Let everybody who can go on do so."""
    for _ in range(8):
        await asyncio.sleep(0)


TEXTS = some.lists(some.sampled_from(["", "a", "b", "ab" * 9, "b" * 99]), min_size=1, max_size=6)
ASKED = some.builds(
    Asked, TEXTS, some.sampled_from(["json", "answers"]), some.sampled_from([None, 1])
)
STEPS = some.lists(
    some.one_of(
        some.tuples(some.just("ask"), ASKED),
        some.tuples(some.just("leave"), some.integers(0, 9)),
        some.tuples(some.sampled_from(["take", "finish", "fail", "settle"]), some.none()),
    ),
    max_size=30,
)


@dataclass
class Play:
    """What happens, step by step."""

    shared: Flights | None
    hand: Hand = field(default_factory=Hand)
    requests: list[Request] = field(default_factory=list)
    left: set[int] = field(default_factory=set)
    broken: bool = False

    async def step(self, verb: str, value: Any) -> None:
        if verb == "ask":
            self.requests.append(ask(self.hand, value, self.shared))
        elif verb == "leave" and value < len(self.requests):
            self.left.add(value)
            self.requests[value].task.cancel()
        elif verb == "take":
            self.hand.take()
        elif verb == "finish":
            self.hand.finish()
        elif verb == "fail":
            self.broken |= bool(self.hand.given)
            self.hand.finish(ServeError("internal"))
        elif verb == "settle":
            await settle()

    async def end(self) -> None:
        await settle()
        while self.hand.queue or self.hand.given:
            self.hand.take()
            self.hand.finish()
            await settle()
        await settle()

    def check(self, number: int, request: Request) -> None:
        """What a request promises, when all is over."""
        assert request.task.done()
        if request.task.cancelled():
            assert number in self.left
        elif (error := request.task.exception()) is not None:
            assert self.broken
            assert isinstance(error, ServeError)
            assert error.code == "internal"
        else:
            texts = request.asked.inputs
            assert request.task.result() == expected(request.asked)
            assert request.about.tokens == sum(map(len, texts))
            assert request.about.abstained == sum("b" in text for text in texts)


@given(STEPS, some.sampled_from([None, 1, 4, 100]))
def test_whoever_stays_is_answered_and_whoever_leaves_takes_nothing_away(steps, entries) -> None:
    async def run() -> None:
        play = Play(None if entries is None else Flights(Cache(entries, 1 << 20)))

        for verb, value in steps:
            await play.step(verb, value)
        await play.end()

        for number, request in enumerate(play.requests):
            play.check(number, request)
        assert play.hand.queue.waiting_texts == 0

    asyncio.run(run())


@given(some.lists(TEXTS, min_size=1, max_size=8))
def test_equal_texts_are_computed_once_however_they_come(batches) -> None:
    async def run() -> None:
        shared, hand = Flights(Cache(1000, 1 << 20)), Hand()
        asked = [Asked(texts, "json", None) for texts in batches]
        requests = [ask(hand, each, shared) for each in asked]
        await settle()
        hand.take()
        requests += [ask(hand, each, shared) for each in asked]
        while hand.queue or hand.given:
            hand.finish()
            hand.take()
            await settle()
        requests += [ask(hand, each, shared) for each in asked]
        await settle()

        different = {text for texts in batches for text in texts}
        assert hand.computed == dict.fromkeys(different, 1)
        assert all(each.task.result() == expected(each.asked) for each in requests)
        assert sum(each.about.missed for each in requests) == len(different)
        texts = sum(each.about.texts for each in requests)
        assert sum(each.about.cached for each in requests) == texts - len(different)

    asyncio.run(run())


@pytest.mark.parametrize("leaves", [True, False])
def test_the_first_to_ask_may_leave_or_run_out_of_time(leaves: bool) -> None:
    async def run() -> None:
        shared, hand = Flights(Cache(10, 1000)), Hand()
        first = ask(hand, Asked(["a"], "json", None), shared, 600 if leaves else 0.2)
        second = ask(hand, Asked(["a"], "json", None), shared)
        await settle()
        if leaves:
            first.task.cancel()
        await asyncio.wait([first.task])
        hand.take()
        hand.finish()

        assert await second.task == [b"a/json/None"]
        assert hand.computed == {"a": 1}
        assert (second.about.cached, second.about.compute_ms) == (1, 0.0)
        with pytest.raises(asyncio.CancelledError if leaves else ServeError):
            await first.task

    asyncio.run(run())


@pytest.mark.parametrize("ticks", range(6))
def test_what_the_last_one_left_is_not_computed_and_can_be_asked_again(ticks: int) -> None:
    async def run() -> None:
        shared, hand = Flights(Cache(10, 1000)), Hand()
        asked = Asked(["a"], "json", None)
        first, second = ask(hand, asked, shared), ask(hand, asked, shared)
        await settle()
        first.task.cancel()
        second.task.cancel()
        for _ in range(ticks):
            await asyncio.sleep(0)
        again = ask(hand, asked, shared)
        await settle()

        assert hand.queue.waiting_texts == 1
        hand.take()
        hand.finish()
        assert await again.task == [b"a/json/None"]
        assert hand.computed == {"a": 1}

    asyncio.run(run())


def test_a_place_is_free_when_the_last_one_has_left() -> None:
    async def run() -> None:
        shared, hand = Flights(Cache(10, 1000)), Hand()
        requests = [ask(hand, Asked(["a", "b"], "json", None), shared) for _ in range(3)]
        waiting = []
        for each in requests:
            await settle()
            each.task.cancel()
            await settle()
            waiting.append(hand.queue.waiting_texts)

        assert waiting == [2, 2, 0]

    asyncio.run(run())


def test_what_is_no_longer_kept_is_computed_again() -> None:
    async def run() -> None:
        shared, hand = Flights(Cache(1, 1000)), Hand()
        for text in ("a", "b", "a", "a"):
            request = ask(hand, Asked([text], "json", None), shared)
            await settle()
            hand.take()
            hand.finish()
            await request.task

        assert hand.computed == {"a": 2, "b": 1}

    asyncio.run(run())


@pytest.mark.parametrize("entries", [None, 10])
def test_a_request_is_late_when_one_of_its_pieces_is(entries: int | None) -> None:
    async def run() -> None:
        shared = None if entries is None else Flights(Cache(entries, 1000))
        hand = Hand()
        request = ask(hand, Asked(["a" * 99, "b" * 99], "json", None), shared, 0.2)
        await settle()
        hand.take()
        hand.finish()

        with pytest.raises(ServeError, match="time"):
            await request.task
        assert hand.queue.waiting_texts == 0
        assert set(hand.computed) == {"a" * 99}

    asyncio.run(run())


def test_without_a_cache_nothing_is_kept_or_shared() -> None:
    async def run() -> None:
        hand = Hand()
        both = [ask(hand, Asked(["a", "a"], "json", None), None) for _ in range(2)]
        await settle()
        hand.take()
        hand.finish()

        assert [await each.task for each in both] == [[b"a/json/None"] * 2] * 2
        assert hand.computed == {"a": 4}
        assert [each.about.missed + each.about.cached for each in both] == [0, 0]

    asyncio.run(run())
