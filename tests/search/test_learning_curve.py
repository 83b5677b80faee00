from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from takeroot.search.learning_curve import learning_curve
from takeroot.search.work import Part
from takeroot.tasks import Classify

TASK = Classify(("a", "b"))
Score = Callable[[np.ndarray, np.ndarray], float]


def parts_of(train: int, judge: int = 100, count: int = 1) -> tuple[Part, ...]:
    return tuple(Part(np.arange(train), np.arange(train, train + judge)) for _ in range(count))


def power(level: float, slope: float) -> Score:
    """A score whose error is exactly ``level * rows ** -slope``."""
    return lambda rows, judged: float(1 - level * len(rows) ** -slope)


@pytest.mark.parametrize(
    ("train", "gain"),
    [
        (800, 200 * (800**-0.5 - 1000**-0.5)),  # 100 (points) * 2 (level)
        (2000, 200 * (2000**-0.5 - 2200**-0.5)),
    ],
)
def test_the_gain_of_more_labels_follows_the_power_law(train: int, gain: float) -> None:
    found = learning_curve(TASK, parts_of(train), power(2, 0.5), seed=0)

    assert found["sentence"] == f"200 more labels would buy about {gain:.1f} points."


def test_a_curve_that_falls_is_called_flat() -> None:
    found = learning_curve(TASK, parts_of(800), power(0.1, -0.1), seed=0)

    assert found["sentence"] == "More labels of the same kind would not help: the curve is flat."


@pytest.mark.parametrize("slope", [1e-9, 0.01])
def test_a_gain_too_small_to_show_is_called_so(slope: float) -> None:
    found = learning_curve(TASK, parts_of(800), power(0.2, slope), seed=0)

    assert found["sentence"] == "200 more labels would buy less than 0.1 points."


def test_points_are_parts_of_the_training_rows() -> None:
    points = learning_curve(TASK, parts_of(800), power(2, 0.5), seed=0)["points"]

    assert [point["rows"] for point in points] == [100, 200, 400, 800]
    assert points[-1]["score"] == pytest.approx(1 - 2 * 800**-0.5)


def test_bands_hold_the_sampling_error_of_the_judged_rows() -> None:
    point = learning_curve(TASK, parts_of(800), lambda *_: 0.5, seed=0)["points"][0]

    half = 1.96 * (0.25 / 100) ** 0.5  # the standard error of a share of 1/2 of 100 rows
    assert (point["low"], point["high"]) == pytest.approx((0.5 - half, 0.5 + half))


def test_bands_widen_where_parts_disagree() -> None:
    scores = iter([0.2, 0.5, 0.8] * 4)

    point = learning_curve(TASK, parts_of(800, 10_000, 3), lambda *_: next(scores), 0)["points"][0]

    assert point["high"] - point["low"] == pytest.approx(2 * 1.96 * np.std([0.2, 0.5, 0.8]))


def test_rows_to_train_on_come_from_the_parts() -> None:
    seen: list[np.ndarray] = []

    def score(rows: np.ndarray, judged: np.ndarray) -> float:
        seen.append(rows)
        return 0.5

    learning_curve(TASK, parts_of(80), score, seed=0)

    assert [len(rows) for rows in seen] == [10, 20, 40, 80]
    assert all(len(set(rows.tolist())) == len(rows) and rows.max() < 80 for rows in seen)


@pytest.mark.parametrize("train", [1, 2, 3, 5])
def test_very_few_rows_have_a_curve_too(train: int) -> None:
    found = learning_curve(TASK, parts_of(train, 1), power(1, 0.5), seed=0)

    assert found["points"][-1]["rows"] == train
    assert ("too few rows" in found["sentence"]) == (train < 3)
