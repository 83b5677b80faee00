"""What has to be done for one request: texts whose answers are kept, shared, or to be computed.

A request looks its texts up, hands the rest to the workers in pieces, and waits. When its time is
up or its client leaves, whatever nobody else waits for is dropped.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import msgspec

from takeroot.bundle.answer import Answer
from takeroot.serve.cache import Kept
from takeroot.serve.faults import ServeError
from takeroot.serve.flight import Flight, Flights
from takeroot.serve.pool import Opened, Pool
from takeroot.serve.queue import Piece, Result, pieces
from takeroot.serve.statistics import Finished
from takeroot.serve.wire import Form, Input, Prompt
from takeroot.serve.writing import cost_of

_decode = msgspec.msgpack.Decoder(Answer).decode


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request asks of a model.

    Args:
        inputs: Texts, pairs of texts, or chats.
        form: Of the answers.
        top_k: Most probabilities an answer in JSON lists; None for all, 0 for none.
        limit: Most tokens of an answer that is a text; 0 for models of labels.
        heard: Gets the place of an input and the next piece of its text, as it is written.
    """

    inputs: Sequence[Input | Prompt]
    form: Form
    top_k: int | None
    limit: int = 0
    heard: Callable[[int, str], None] | None = None


class Work:
    """One request's texts, looked up; each is kept, shared or fresh.

    Nothing may be awaited between making it and ``done``.

    Args:
        asked: The request.
        model: Answers it.
        shared: What the model keeps and shares; None if nothing.
    """

    def __init__(self, asked: Asked, model: Opened, shared: Flights | None) -> None:
        self._asked, self._model, self._shared = asked, model, shared
        self._own: list[Flight] = []
        self._fresh: Sequence[int] = range(len(asked.inputs))
        self._awaited: asyncio.Future[Result] | None = None
        self._late = False
        if shared is not None:
            self._look_up(shared)

    @property
    def fresh(self) -> int:
        """Texts that a worker has to answer for this request."""
        return len(self._fresh)

    async def done(self, pool: Pool, arrived: float, limit: float, about: Finished) -> list[Any]:
        """The answers in the order of the inputs; what they took is noted in ``about``.

        Args:
            pool: Where they are computed.
            arrived: When the request did, on the loop's clock.
            limit: When its time is up.
            about: The request.

        Raises:
            ServeError: deadline_exceeded, or what became of a piece.
        """
        try:
            self._depart(pool, arrived)
            await self._wait(limit)
        finally:
            self._leave(pool)
        self._note(arrived, about)
        return self._together(about) if self._shared is None else self._from_everywhere(about)

    @property
    def _flights(self) -> Iterable[Flight]:
        """What is waited for: this request's own pieces, and others' where they are shared."""
        return self._own if self._shared is None else self._seats

    def _depart(self, pool: Pool, arrived: float) -> None:
        """Let the workers have what is to be computed, and wait for the rest from now on."""
        if self._shared is not None:
            for flight in self._seats:
                flight.waiting += 1
        inputs = [self._asked.inputs[place] for place in self._fresh]
        start = ahead = 0
        for count, tokens in self._cut(inputs):
            end = start + count
            piece = self._piece(inputs[start:end], tokens, arrived)
            if self._asked.heard is not None:
                piece.heard = partial(self._asked.heard, start)
            piece.first = not start  # the others of the request stand behind it
            flight = Flight(piece, waiting=1)
            self._own.append(flight)
            if self._shared is not None:
                self._share(self._shared, flight, self._fresh[start:end])
            pool.put(piece, ahead)
            start, ahead = end, ahead + tokens

    def _cut(self, inputs: Sequence[Input | Prompt]) -> Iterator[tuple[int, int]]:
        """Number of texts of each piece, and what it counts for in line."""
        spec, limit = self._model.spec, self._asked.limit
        if not limit:
            yield from pieces(cast(Sequence[Input], inputs), spec.max_tokens, spec.pack_tokens)
            return
        for item in inputs:
            yield 1, cost_of(cast(Prompt, item), limit, spec.max_tokens)

    async def _wait(self, limit: float) -> None:
        """Until every text is answered."""
        timer = asyncio.get_running_loop().call_at(limit, self._expire)
        try:
            for flight in self._flights:
                if self._late:
                    raise ServeError("deadline_exceeded")
                done = flight.piece.done
                # A request that leaves must not take away what others wait for.
                self._awaited = done if self._shared is None else asyncio.shield(done)
                await self._awaited
        except asyncio.CancelledError:
            if self._late:
                raise ServeError("deadline_exceeded") from None
            raise
        finally:
            timer.cancel()

    def _expire(self) -> None:
        """Time is up."""
        self._late = True
        if self._awaited is not None:
            self._awaited.cancel()

    def _leave(self, pool: Pool) -> None:
        """Wait no longer: what nobody else waits for is dropped."""
        for flight in self._flights:
            flight.waiting -= 1
            if flight.waiting:
                continue
            pool.leave(flight.piece)
            done = flight.piece.done
            if done.cancel():
                if self._shared is not None:
                    self._shared.forget(flight)
            elif not done.cancelled():
                done.exception()  # of those after the first that failed: nobody asks for it

    def _note(self, arrived: float, about: Finished) -> None:
        """What the answers took; computing counts for the request that asked first."""
        started = arrived
        for flight in self._flights:
            started = max(started, flight.piece.done.result().started)
        about.queue_ms = 1000 * (started - arrived)
        for flight in self._own:
            result = flight.piece.done.result()
            about.runs += result.runs
            about.compute_ms += 1000 * result.compute_s
            about.written += result.written

    def _together(self, about: Finished) -> list[Any]:
        """The answers of this request's own pieces."""
        found: list[Any] = []
        for flight in self._own:
            result = flight.piece.done.result()
            found += result.json or result.answers
            about.tokens += sum(result.tokens)
            about.abstained += sum(result.abstained)
        return found

    def _from_everywhere(self, about: Finished) -> list[Any]:
        """The answers, each from where it is."""
        rows: list[Any] = [None] * len(self._asked.inputs)  # answer, tokens, whether it abstained
        for place, kept in self._kept.items():
            answer = kept.answer if self._asked.form == "json" else _decode(kept.answer)
            rows[place] = answer, kept.tokens, kept.abstained
        for flight, seats in self._seats.items():
            result = flight.piece.done.result()
            made: Sequence[Any] = result.json or result.answers
            for here, there in seats:
                rows[here] = made[there], result.tokens[there], result.abstained[there]
        for place, twin in self._twins.items():
            rows[place] = rows[twin]
        about.cached, about.missed = len(rows) - self.fresh, self.fresh
        about.lookup_ns = self._lookup_ns
        about.tokens = sum(row[1] for row in rows)
        about.abstained = sum(row[2] for row in rows)
        return [row[0] for row in rows]

    def _look_up(self, shared: Flights) -> None:
        """Find out what is kept, and what is being computed for another request."""
        begun = time.perf_counter_ns()
        self._keys: list[bytes] = []
        self._kept: dict[int, Kept] = {}  # by place in the request
        self._twins: dict[int, int] = {}  # to an earlier place with the same text
        # Where texts are being answered: their places in the request and in the piece of work.
        self._seats: dict[Flight, list[tuple[int, int]]] = defaultdict(list)
        asked, seen, fresh = self._asked, dict[bytes, int](), list[int]()
        for place, item in enumerate(cast(Sequence[Input], asked.inputs)):
            key = shared.cache.key(item, asked.form, asked.top_k)
            self._keys.append(key)
            first = seen.setdefault(key, place)
            if first != place:
                self._twins[place] = first
            elif kept := shared.cache.get(key):
                self._kept[place] = kept
            elif seat := shared.find(key):
                self._seats[seat[0]].append((place, seat[1]))
            else:
                fresh.append(place)
        self._fresh = fresh
        self._lookup_ns = time.perf_counter_ns() - begun

    def _piece(self, inputs: list[Input | Prompt], tokens: int, arrived: float) -> Piece:
        """A piece of work of this request."""
        asked, done = self._asked, asyncio.get_running_loop().create_future()
        piece = Piece(self._model.key, inputs, asked.form, asked.top_k, tokens, arrived, done)
        piece.limit = asked.limit
        return piece

    def _share(self, shared: Flights, flight: Flight, places: Sequence[int]) -> None:
        """Let others wait for a piece of work with this request's texts at these places."""
        flight.keys = [self._keys[place] for place in places]
        self._seats[flight] = list(zip(places, range(len(places)), strict=True))
        shared.depart(flight)
