"""Work that several requests wait for: equal texts at the same time are computed once.

A piece of work goes on as long as one of the requests waits, whoever asked first. Only texts of
models whose answers are kept are shared.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import msgspec

from takeroot.serve.cache import Cache, Kept
from takeroot.serve.queue import Piece, Result

_encode = msgspec.msgpack.Encoder().encode


@dataclass(slots=True, eq=False)
class Flight:
    """A piece of work and how many wait for it.

    Args:
        piece: What a worker is given.
        keys: Of its texts, in their order; none where it is not shared.
        waiting: Requests that wait for it.
    """

    piece: Piece
    keys: Sequence[bytes] = ()
    waiting: int = 0


@dataclass
class Flights:
    """The answers of one bundle: those kept, and those that are being computed.

    Args:
        cache: Gets every answer that was computed.
    """

    cache: Cache
    _under_way: dict[bytes, tuple[Flight, int]] = field(default_factory=dict)

    def find(self, key: bytes) -> tuple[Flight, int] | None:
        """Where a text is being answered: the piece of work, and its place in it."""
        return self._under_way.get(key)

    def depart(self, flight: Flight) -> None:
        """Let others wait for a piece of work, and keep its answers when they are there."""
        for place, key in enumerate(flight.keys):
            self._under_way[key] = flight, place
        flight.piece.done.add_done_callback(partial(self._land, flight))

    def forget(self, flight: Flight) -> None:
        """Let nobody else wait for a piece of work."""
        for key in flight.keys:
            if self._under_way.get(key, (None, 0))[0] is flight:
                del self._under_way[key]

    def _land(self, flight: Flight, done: asyncio.Future[Result]) -> None:
        """Keep what came of a piece of work, unless it failed or nobody waits any more."""
        self.forget(flight)
        if done.cancelled() or done.exception() is not None:
            return
        result = done.result()
        answers = result.json or map(_encode, result.answers)
        rows = zip(flight.keys, answers, result.tokens, result.abstained, strict=True)
        for key, answer, tokens, abstained in rows:
            self.cache.put(key, Kept(answer, tokens, abstained))
