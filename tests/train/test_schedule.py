from __future__ import annotations

import pytest

from takeroot.train.schedule import SCHEDULES, rate


def test_a_linear_schedule_by_hand():
    rates = [rate(step, 10, 0.2, "linear") for step in range(10)]

    assert rates == pytest.approx([0.5, 1, 1, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125])


def test_a_cosine_schedule_by_hand():
    rates = [rate(step, 5, 0.2, "cosine") for step in range(5)]

    assert rates == pytest.approx([1, 1, 0.853553, 0.5, 0.146447], abs=1e-6)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("warmup_share", [0.0, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("total", [1, 2, 7, 100])
def test_no_step_is_wasted_and_none_is_too_large(total: int, warmup_share: float, schedule: str):
    rates = [rate(step, total, warmup_share, schedule) for step in range(total)]

    assert all(0 < each <= 1 for each in rates)
    assert max(rates) == 1


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_the_rate_rises_and_then_never_rises_again(schedule: str):
    rates = [rate(step, 50, 0.2, schedule) for step in range(50)]

    assert rates[:10] == sorted(rates[:10])
    assert rates[10:] == sorted(rates[10:], reverse=True)
