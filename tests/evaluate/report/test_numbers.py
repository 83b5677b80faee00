import pytest

from takeroot.evaluate.report import numbers


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.84, "0.8 s"), (47.2, "47 s"), (318.4, "5 min 18 s"), (7300, "2 h 1 min"), (None, "–")],
)
def test_durations_are_written_as_people_say_them(seconds, shown):
    assert numbers.duration(seconds).replace("\u00a0", " ") == shown


def test_a_share_is_a_percentage_that_does_not_break():
    assert numbers.percent(0.9405) == "94.0\u00a0%"


@pytest.mark.parametrize("value", [None, "x", float("nan"), float("inf"), True, []])
def test_what_is_no_number_is_shown_as_missing(value):
    assert numbers.percent(value) == numbers.count(value) == numbers.decimal(value) == "–"


def test_points_leave_out_items_that_lack_a_number():
    items = [{"x": 1, "y": 2}, {"x": 1}, {"x": "3", "y": 4}]

    assert numbers.points(items, "x", "y") == [(1.0, 2.0)]


def test_a_missing_path_is_an_empty_object():
    assert numbers.block({"a": {"b": 3}}, "a", "b") == {}
