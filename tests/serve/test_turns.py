"""Refused connections come back in turns, and what is let in together is counted together."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from takeroot.serve.caller import Gate
from takeroot.serve.http import LimitedProtocol
from takeroot.serve.native import Response
from takeroot.serve.pool import Pool
from takeroot.serve.queue import Piece, Result
from takeroot.serve.rest import App
from takeroot.serve.room import Room
from takeroot.serve.settings import read_settings
from takeroot.serve.telemetry import Telemetry
from takeroot.serve.turns import ROUND, Turns

REQUEST = b"POST /v1/models/shop/predict HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\n\r\n{}"


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


class Full:
    """An application with room for nobody."""

    def __init__(self) -> None:
        self.turns = Turns()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Not called: everybody is turned away before."""
        raise AssertionError("let in")

    def too_much(self, method: bytes, path: bytes, headers: Any) -> Response:
        """The refusal."""
        return Response(b"full", status=429)


class Line(asyncio.Transport):
    """A connection that notes what is written and whether it is read."""

    def __init__(self) -> None:
        super().__init__()
        self.written, self.read, self.closed = b"", True, False

    def write(self, data: Any) -> None:
        self.written += data

    def pause_reading(self) -> None:
        self.read = False

    def resume_reading(self) -> None:
        self.read = True

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True


def turned_away(line: Line, app: Any) -> LimitedProtocol:
    """The protocol of a connection whose first request was refused."""
    config = uvicorn.Config(app, ws="none", lifespan="off", proxy_headers=False, log_config=None)
    protocol = LimitedProtocol(config, ServerState(), {})
    protocol.connection_made(line)
    protocol.data_received(REQUEST)
    return protocol


def test_who_was_turned_away_is_not_read_until_it_is_their_turn() -> None:
    async def scenario() -> list[list[bool]]:
        app, lines, found = Full(), [Line() for _ in range(2 * ROUND)], []
        for line in lines:
            turned_away(line, app)
        lines[-1].close()  # who is gone is not read again
        for _ in range(3):
            found.append([line.read for line in lines])
            await asyncio.sleep(0)
        assert all(line.written.startswith(b"HTTP/1.1 429") for line in lines)
        return found

    at_once, then, at_last = asyncio.run(scenario())

    assert at_once == [False] * 2 * ROUND
    assert then == [True] * ROUND + [False] * ROUND
    assert at_last == [True] * (2 * ROUND - 1) + [False]


def test_who_waits_for_a_turn_when_the_server_ends_is_read_once_more() -> None:
    async def scenario() -> Line:
        line = Line()
        protocol = turned_away(line, Full())
        protocol.shutdown()
        assert not line.closed
        while not line.read:
            await asyncio.sleep(0)
        protocol.data_received(REQUEST)
        async with asyncio.timeout(60):
            while not line.closed:
                await asyncio.sleep(0.05)
        return line

    assert asyncio.run(scenario()).written.count(b"HTTP/1.1 429") == 2


def test_predictions_let_in_within_a_round_are_counted_until_its_end() -> None:
    coming: list[int] = []

    def full(before: int) -> bool:
        coming.append(before)
        return before >= 2

    service: Any = SimpleNamespace(full=full)
    app = App(service, Gate(None, None), read_settings({}, {}), Telemetry(None))

    async def scenario() -> list[list[bool]]:
        rounds = []
        for _ in range(2):
            asked = [app.too_much(b"POST", b"/v1/models/shop/predict", []) for _ in range(3)]
            rounds.append([each is None for each in asked])
            await asyncio.sleep(0)
        return rounds

    assert asyncio.run(scenario()) == [[True, True, False]] * 2
    assert coming == [0, 1, 2] * 2
