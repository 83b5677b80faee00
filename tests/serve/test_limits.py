"""Rates and quotas."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from takeroot.errors import RecipeError
from takeroot.serve.limits import Bucket, Quotas, Rate, parse_rate


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("50/s", Rate(per_s=50, burst=50)),
        ("600/m", Rate(per_s=10, burst=10)),
        ("1800/h", Rate(per_s=0.5, burst=1)),
        (" 2.5/s ", Rate(per_s=2.5, burst=3)),
    ],
)
def test_a_rate_is_read(text: str, rate: Rate) -> None:
    assert parse_rate(text) == rate


@pytest.mark.parametrize(
    "text", ["", "50", "50/", "50/d", "/s", "0/s", "-1/s", "1e3/s", "nan/s", "５/s", "9999999/s"]
)
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(RecipeError, match="rate"):
        parse_rate(text)


@pytest.mark.parametrize("burst", [0, -1, 1_000_001])
def test_a_burst_out_of_range_is_refused(burst: int) -> None:
    with pytest.raises(RecipeError, match=f"burst {burst}"):
        parse_rate("1/s", burst)


def test_a_full_bucket_gives_its_burst_and_then_says_when() -> None:
    bucket, rate = Bucket(), Rate(per_s=4, burst=2)

    assert [bucket.take(rate, 100) for _ in range(3)] == [0, 0, 0.25]


def test_a_refused_request_passes_after_the_time_it_was_told() -> None:
    bucket, rate = Bucket(), Rate(per_s=4, burst=1)
    bucket.take(rate, 100)
    wait_s = bucket.take(rate, 100)

    assert bucket.take(rate, 100 + wait_s) == 0


def test_a_clock_set_back_starves_nobody() -> None:
    bucket, rate = Bucket(), Rate(per_s=1, burst=1)
    bucket.take(rate, 1_000_000)

    assert bucket.take(rate, 0) == 1
    assert bucket.take(rate, 1) == 0


@given(
    gaps=st.lists(st.floats(0, 3), min_size=1, max_size=60),
    per_s=st.floats(0.1, 20),
    burst=st.integers(1, 10),
)
def test_no_stretch_of_time_passes_more_than_burst_and_rate(
    gaps: list[float], per_s: float, burst: int
) -> None:
    bucket, rate, now, passed = Bucket(), Rate(per_s=per_s, burst=burst), 0.0, []
    for gap in gaps:
        now += gap
        if bucket.take(rate, now) == 0:
            passed.append(now)

    for first, start in enumerate(passed):
        for last, end in enumerate(passed[first:], first):
            assert last - first + 1 <= burst + per_s * (end - start) + 1e-6


def test_a_quota_takes_all_of_a_request_or_nothing() -> None:
    quotas = Quotas({}, day=1)

    assert [quotas.take("shop", texts, 10, 1) for texts in (8, 3, 2, 1)] == [
        True,
        False,
        True,
        False,
    ]


def test_a_quota_starts_anew_each_day() -> None:
    quotas = Quotas({"shop": 10}, day=1)

    assert not quotas.take("shop", 1, 10, day=1)
    assert quotas.take("shop", 10, 10, day=2)


def test_what_was_given_back_can_be_taken_again() -> None:
    quotas = Quotas({"shop": 10}, day=1)
    quotas.give_back("shop", 4, day=1)

    assert quotas.take("shop", 4, 10, day=1)
    assert not quotas.take("shop", 1, 10, day=1)


def test_giving_back_on_the_next_day_makes_no_room() -> None:
    quotas = Quotas({"shop": 10}, day=1)
    quotas.give_back("shop", 4, day=2)

    assert not quotas.take("shop", 11, 10, day=2)
    assert quotas.take("shop", 10, 10, day=2)


def test_texts_taken_without_a_limit_count_for_one_set_later() -> None:
    quotas = Quotas({}, day=1)
    quotas.take("shop", 9, None, 1)

    assert not quotas.take("shop", 2, 10, 1)
