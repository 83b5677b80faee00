"""Who writes what, and what becomes of a text whose client leaves or whose worker dies."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import pytest

from takeroot.serve.faults import ServeError
from takeroot.serve.queue import Piece, Result
from takeroot.serve.wire import Ended, Leave, Told, TooLong, Write, Wrote
from takeroot.serve.writing import BATCH, MOST_TRIES, Lane, cost_of


@dataclass
class Hand:
    """A worker that does what the test says."""

    open: dict[str, Any] = field(default_factory=lambda: {"m": None, "other": None})
    writing: dict[int, Any] = field(default_factory=dict)
    transport: Any = "connected"
    sent: list[Any] = field(default_factory=list)

    def send(self, message: Any) -> None:
        self.sent.append(message)

    @property
    def number(self) -> int:
        """Of the run it was given last."""
        return next(each.number for each in reversed(self.sent) if isinstance(each, Write))


def run(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(scenario())


def lane(*hands: Hand) -> Lane:
    return Lane(list(hands), lambda *_: None)  # type: ignore[arg-type]


def piece(lane: Lane, text: str = "hello", key: str = "m", **changes: Any) -> Piece:
    """A text that waits."""
    done: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
    made = Piece(key, [text], "json", None, 10, 0.0, done, limit=5, **changes)
    lane.queue.put(made)
    return made


def test_what_waits_is_shared_out_among_the_workers() -> None:
    async def scenario() -> None:
        hands = [Hand(), Hand()]
        writing = lane(*hands)
        for number in range(3):
            piece(writing, str(number))

        writing.dispatch()

        assert [[each.prompt for each in hand.sent[0].texts] for hand in hands] == [
            ["0", "1"],
            ["2"],
        ]

    run(scenario)


def test_a_worker_writes_one_run_of_a_few_texts_of_one_model() -> None:
    async def scenario() -> None:
        hand = Hand()
        writing = lane(hand)
        for _ in range(2 * BATCH):
            piece(writing)
        piece(writing, key="other")

        writing.dispatch()

        assert len(hand.sent) == 1
        assert len(hand.sent[0].texts) == BATCH
        writing.heard(hand, Ended(hand.number))  # type: ignore[arg-type]
        assert len(hand.sent) == 2

    run(scenario)


def test_a_client_that_leaves_is_told_to_the_worker() -> None:
    async def scenario() -> None:
        hand = Hand()
        writing = lane(hand)
        stays, leaves = piece(writing), piece(writing)
        writing.dispatch()

        leaves.done.cancel()
        await asyncio.sleep(0)

        assert hand.sent[-1] == Leave(hand.number, 1)
        writing.heard(hand, Wrote(hand.number, 0, b"{}", 3, 2, 10))  # type: ignore[arg-type]
        assert stays.done.result().tokens == [5]
        assert stays.done.result().written == 2

    run(scenario)


def test_pieces_are_told_to_who_waits_only() -> None:
    async def scenario() -> None:
        hand, heard = Hand(), list[str]()
        writing = lane(hand)
        waits = piece(writing, heard=heard.append)
        writing.dispatch()

        writing.heard(hand, Told(hand.number, 0, "he"))  # type: ignore[arg-type]
        waits.done.cancel()
        writing.heard(hand, Told(hand.number, 0, "llo"))  # type: ignore[arg-type]

        assert heard == ["he"]

    run(scenario)


def test_a_prompt_that_is_too_long_fails_alone() -> None:
    async def scenario() -> None:
        hand = Hand()
        writing = lane(hand)
        long, short = piece(writing), piece(writing)
        writing.dispatch()

        writing.heard(hand, TooLong(hand.number, 0, 200))  # type: ignore[arg-type]
        writing.heard(hand, Wrote(hand.number, 1, b"{}", 3, 2, 10))  # type: ignore[arg-type]

        assert "at most 200" in str(long.done.exception())
        assert short.done.result().json == [b"{}"]

    run(scenario)


def test_what_failed_in_company_is_tried_alone_and_then_fails() -> None:
    async def scenario() -> None:
        hand = Hand()
        writing = lane(hand)
        both = [piece(writing, "a"), piece(writing, "b")]
        writing.dispatch()

        for _ in range(3):
            writing.heard(hand, Ended(hand.number, "RuntimeError"))  # type: ignore[arg-type]

        assert [len(each.texts) for each in hand.sent] == [2, 1, 1]
        for each in both:
            assert isinstance(each.done.exception(), ServeError)
        assert not writing.busy

    run(scenario)


def test_of_a_dead_worker_only_what_was_told_fails() -> None:
    async def scenario() -> None:
        dead, other = Hand(), Hand(transport=None)
        writing = lane(dead, other)
        begun, fresh = piece(writing, heard=lambda _: None), piece(writing)
        writing.dispatch()
        writing.heard(dead, Told(dead.number, 0, "he"))  # type: ignore[arg-type]

        other.transport = "connected"
        writing.lost(dead)  # type: ignore[arg-type]
        writing.dispatch()

        assert begun.done.exception().code == "interrupted"  # type: ignore[union-attr]
        assert not fresh.done.done()
        assert fresh.alone

    run(scenario)


def test_a_text_over_which_workers_die_is_given_up() -> None:
    async def scenario() -> None:
        writing = lane()
        deadly = piece(writing)

        for _ in range(MOST_TRIES):
            hand = Hand()
            writing.workers = [hand]  # type: ignore[list-item]
            writing.dispatch()
            writing.lost(hand)  # type: ignore[arg-type]

        assert deadly.done.exception().code == "interrupted"  # type: ignore[union-attr]

    run(scenario)


@pytest.mark.parametrize("limit", [10, 100])
def test_a_text_stands_behind_those_that_may_be_shorter(limit: int) -> None:
    assert cost_of("hello", limit, 64) < cost_of("hello", limit + 1, 64)
    assert cost_of("hello", limit, 64) < cost_of("hello " * 50, limit, 64)
