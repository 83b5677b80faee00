import pytest
from hypothesis import given
from hypothesis import strategies as st

from takeroot.evaluate.report import svg
from takeroot.evaluate.report.charts import smoothed, wilson


@given(st.floats(0, 1e6), st.floats(1e-6, 1e6))
def test_an_axis_holds_its_values_with_few_round_ticks(low, width):
    found = svg.axis(low, low + width, "", str)

    assert found.low <= low * (1 + 1e-9)
    assert found.high >= (low + width) * (1 - 1e-9)
    assert 2 <= len(found.ticks) <= 8


def test_an_axis_over_one_value_still_has_a_length():
    found = svg.axis(3, 3, "", str)

    assert found.high > found.low


def test_values_fall_where_the_axes_say():
    sheet = svg.Sheet(svg.axis(0, 1, "", str), svg.axis(0, 10, "", str))

    assert sheet.x(0) == svg.LEFT
    assert sheet.x(1) == svg.WIDTH - svg.RIGHT
    assert sheet.y(0) == svg.HEIGHT - svg.BOTTOM
    assert sheet.y(10) == svg.TOP


def test_a_meter_never_leaves_its_track():
    assert 'width="100"' in svg.meter(7.0, "").markup
    assert 'width="0"' in svg.meter(-7.0, "").markup


def test_the_interval_of_a_share_is_that_of_wilson():
    # 8 of 10: Wilson 1927, as scipy.stats.binomtest(8, 10).proportion_ci(method="wilson")
    assert wilson(0.8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-3)


def test_smoothing_keeps_a_straight_line_straight():
    line = [(x, 2.0) for x in range(100)]

    assert smoothed(line) == line
