"""Refused connections come back in turns, and what is let in together is counted together."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass, field
from typing import Any

import pytest

from takeroot.serve.pool import Pool
from takeroot.serve.queue import Piece, Result
from takeroot.serve.room import Room
from takeroot.serve.settings import read_settings
from takeroot.serve.turns import ROUND, Turns


@dataclass
class Log:
    """What was called, a list for each round of the event loop."""

    rounds: list[list[int]] = field(default_factory=list)

    def mark(self) -> None:
        """A round begins; it calls itself in the next one, too."""
        self.rounds.append([])
        asyncio.get_running_loop().call_soon(self.mark)

    def turn_of(self, number: int) -> Any:
        """What notes that a connection's turn has come."""
        return lambda: self.rounds[-1].append(number)


def test_who_waits_is_called_in_order_a_few_in_each_round() -> None:
    log, turns, everybody = Log(), Turns(), list(range(2 * ROUND + 3))

    async def scenario() -> None:
        log.mark()
        for number in everybody:
            turns.wait(log.turn_of(number))
        while sum(map(len, log.rounds)) < len(everybody):
            await asyncio.sleep(0)

    asyncio.run(scenario())

    called = [each for each in log.rounds if each]
    assert [len(each) for each in called] == [ROUND, ROUND, 3]
    assert list(itertools.chain(*called)) == everybody


def test_who_comes_again_waits_behind_the_others() -> None:
    turns, order = Turns(), []

    def come(number: int) -> None:
        order.append(number)
        if len(order) < 100:
            turns.wait(lambda: come(number))

    async def scenario() -> None:
        for number in range(20):
            turns.wait(lambda number=number: come(number))  # type: ignore[misc]
        while len(order) < 100:
            await asyncio.sleep(0)

    asyncio.run(scenario())

    assert order[:100] == list(range(20)) * 5


@pytest.mark.parametrize(
    ("waiting", "coming", "wait_s", "has"),
    [
        (0, 0, 60, True),
        (0, 9, 60, True),
        (0, 10, 60, False),  # ten that come fill the queue
        (4, 5, 60, True),
        (4, 6, 60, False),
        (5, 0, 0.5, True),  # each takes a tenth of a second
        (6, 0, 0.5, False),
        (3, 2, 0.5, True),
        (3, 3, 0.5, False),
    ],
)
def test_what_is_let_in_together_takes_places(
    waiting: int, coming: int, wait_s: float, *, has: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = Pool(1)
    worker: Any = None  # one, of which nothing is asked
    monkeypatch.setattr(pool, "_workers", [worker])
    monkeypatch.setattr(pool, "_token_s", 0.1)
    room = Room(read_settings({"queue_texts": 10, "wait_s": wait_s}, {}), pool, None)

    async def scenario() -> bool:
        for _ in range(waiting):
            done: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
            pool.queue.put(Piece("shop", ["a"], "json", 0, 1, 0.0, done))
        return room.has(1, coming)

    assert asyncio.run(scenario()) is has
