from __future__ import annotations

import asyncio
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from takeroot.serve.queue import LEAST_LEFT, PackQueue, Piece, pieces, tokens_of


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    made = asyncio.new_event_loop()
    yield made
    made.close()


def piece(loop: asyncio.AbstractEventLoop, tokens: int, arrived: float, **settings: Any) -> Piece:
    values = {"key": "m", "form": "json", "top_k": None} | settings
    return Piece(
        inputs=["x"] * values.pop("texts", 1),
        tokens=tokens,
        arrived=arrived,
        done=loop.create_future(),
        **values,
    )


def test_a_short_text_passes_a_long_one_that_came_a_little_earlier(
    loop: asyncio.AbstractEventLoop,
) -> None:
    queue = PackQueue()
    long, short = piece(loop, 1000, 0.0), piece(loop, 10, 0.01)
    queue.put(long)
    queue.put(short)

    assert queue.take(10) == [short]
    assert queue.take(10) == [long]


def test_a_long_text_that_has_waited_is_passed_no_more(loop: asyncio.AbstractEventLoop) -> None:
    queue = PackQueue()
    long, short = piece(loop, 1000, 0.0), piece(loop, 10, 0.2)
    queue.put(short)
    queue.put(long)

    assert queue.take(10) == [long]


def test_a_run_is_filled_up_to_a_pack(loop: asyncio.AbstractEventLoop) -> None:
    queue = PackQueue()
    waiting = [piece(loop, 40, k / 1000) for k in range(4)]
    for each in waiting:
        queue.put(each)

    assert queue.take(128) == waiting[:3]
    assert queue.take(128) == waiting[3:]


def test_what_is_longer_than_a_pack_is_taken_alone(loop: asyncio.AbstractEventLoop) -> None:
    queue = PackQueue()
    long = piece(loop, 500, 0.0)
    queue.put(long)
    queue.put(piece(loop, 10, 1.0))

    assert queue.take(128) == [long]


@pytest.mark.parametrize("other", [{"key": "n"}, {"form": "answers"}, {"top_k": 3}])
def test_a_run_is_of_one_model_and_one_form(
    loop: asyncio.AbstractEventLoop, other: dict[str, Any]
) -> None:
    queue = PackQueue()
    first, second = piece(loop, 10, 0.0), piece(loop, 10, 0.02)
    between = piece(loop, 10, 0.01, **other)
    for each in (first, between, second):
        queue.put(each)

    assert queue.take(128) == [first, second]
    assert queue.take(128) == [between]


def test_what_nobody_waits_for_is_dropped_before_it_is_computed(
    loop: asyncio.AbstractEventLoop,
) -> None:
    queue = PackQueue()
    left, stays = piece(loop, 10, 0.0, texts=3), piece(loop, 10, 0.1)
    queue.put(left)
    queue.put(stays)
    left.done.cancel()

    assert queue.take(128) == [stays]
    assert queue.waiting_texts == 0


def test_what_nobody_waits_for_is_not_kept_while_no_worker_is_free(
    loop: asyncio.AbstractEventLoop,
) -> None:
    class Text(str):
        """A text whose end can be seen."""

    queue, seen = PackQueue(), []
    queue.put(stays := piece(loop, 10, 1.0))
    for _ in range(1000):
        text = Text("x")
        seen.append(weakref.ref(text))
        left = piece(loop, 10, 0.0)
        left.inputs = [text]
        queue.put(left)
        left.done.cancel()
        queue.leave(left)
    del text, left

    assert sum(each() is not None for each in seen) <= LEAST_LEFT
    assert (queue.waiting_texts, queue.take(128)) == (1, [stays])


def test_a_worker_is_given_what_it_has_open(loop: asyncio.AbstractEventLoop) -> None:
    queue = PackQueue()
    others = [piece(loop, 10, k / 100, key="n") for k in range(20)]
    own = piece(loop, 10, 1.0)
    for each in (*others, own):
        queue.put(each)

    assert queue.take(128, {"m"}) == [own]
    assert queue.take(128, {"m"}) == []
    assert queue.elsewhere({"m"}) == others
    assert (queue.waiting_texts, bool(queue)) == (0, False)


def test_parts_of_one_request_do_not_block_another_request(
    loop: asyncio.AbstractEventLoop,
) -> None:
    queue = PackQueue()
    parts = [piece(loop, 100, 0.0) for _ in range(3)]
    for place, each in enumerate(parts):
        queue.put(each, ahead=100 * place)
    other = piece(loop, 20, 0.01)
    queue.put(other)

    assert [queue.take(100)[0] for _ in range(4)] == [parts[0], other, *parts[1:]]


@given(some.lists(some.text(max_size=300), max_size=40), some.integers(4, 128))
def test_a_request_is_cut_into_stretches_that_leave_nothing_out(
    texts: list[str], pack: int
) -> None:
    texts = [text.encode("utf-8", "replace").decode() for text in texts]
    found = list(pieces(texts, 64, pack))

    assert sum(count for count, _ in found) == len(texts)
    assert all(count for count, _ in found)
    assert sum(tokens for _, tokens in found) == sum(tokens_of(text, 64) for text in texts)
    assert all(tokens <= pack or count == 1 for count, tokens in found)
