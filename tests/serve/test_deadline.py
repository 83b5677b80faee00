from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as some

from takeroot.serve.deadline import asked_s, deadline
from takeroot.serve.faults import ServeError

HEADER = b"x-request-timeout-ms"


def test_a_request_that_says_nothing_has_no_time_of_its_own() -> None:
    assert asked_s({}) is None


@given(some.integers(1, 3_600_000))
def test_milliseconds_up_to_an_hour_are_taken(milliseconds: int) -> None:
    assert asked_s({HEADER: b"%d" % milliseconds}) == milliseconds / 1000


@pytest.mark.parametrize(
    "given", [b"", b"0", b"-1", b"1.5", b"1e3", b" 1", b"0000000001", b"3600001", "١".encode()]
)
def test_anything_else_is_refused(given: bytes) -> None:
    with pytest.raises(ServeError, match="whole milliseconds, 1 to 3600000") as caught:
        asked_s({HEADER: given})

    assert caught.value.code == "invalid_request"


@given(some.lists(some.none() | some.floats(0, 1e6), max_size=3))
def test_the_shortest_time_counts(times_s: list[float | None]) -> None:
    async def run() -> tuple[float, float | None]:
        loop = asyncio.get_running_loop()
        loop.time = lambda: 100.0  # type: ignore[method-assign]
        return 100.0, deadline(*times_s)

    now, found = asyncio.run(run())

    given = [each for each in times_s if each is not None]
    assert found == (now + min(given) if given else None)
