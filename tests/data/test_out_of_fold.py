"""Every row is judged by a model that has not seen it."""

from __future__ import annotations

import numpy as np
import pytest

from takeroot.data import Example
from takeroot.data.out_of_fold import out_of_fold
from takeroot.errors import DataError

ROWS = [Example(f"text {i}", "ab"[i % 2]) for i in range(20)]


def test_no_row_is_in_its_own_training_rows():
    seen = []

    def predict(train, held, labels):
        seen.append((train, held, labels))
        return np.full((len(held), 2), 0.5)

    out_of_fold(ROWS, predict, count=4)

    assert sorted(e.text for _, held, _ in seen for e in held) == sorted(e.text for e in ROWS)
    assert all(not set(train) & set(held) for train, held, _ in seen)
    assert {labels for _, _, labels in seen} == {("a", "b")}


def test_probabilities_come_back_in_row_order():
    def predict(train, held, labels):
        return np.array([[int(e.text.split()[1]), 0] for e in held])

    assert out_of_fold(ROWS, predict)[:, 0].tolist() == list(range(20))


def test_a_wrong_shape_is_refused():
    with pytest.raises(DataError, match=r"predict gave shape \(4, 3\), not \(4, 2\)"):
        out_of_fold(ROWS, lambda train, held, labels: np.zeros((4, 3)))
