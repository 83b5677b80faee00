"""Confident learning against a hand-worked case and planted errors."""

from __future__ import annotations

import numpy as np
import pytest

from takeroot.data.label_errors import find
from takeroot.errors import DataError


def planted(rows=4000, classes=20, share=0.05, sharpness=4.0, seed=0):
    """Probabilities of a fair model, given labels of which a share is wrong, and which are."""
    rng = np.random.default_rng(seed)
    true = rng.integers(classes, size=rows)
    logits = rng.normal(size=(rows, classes))
    logits[np.arange(rows), true] += rng.normal(sharpness, 1.5, rows)
    wrong = rng.random(rows) < share
    given = np.where(wrong, (true + rng.integers(1, classes, rows)) % classes, true)
    return np.exp(logits), given, wrong


def normal(p):
    return p / p.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("power", [0.4, 1.0, 2.5])
def test_most_planted_errors_are_flagged_however_sure_the_model_is(power):
    p, given, wrong = planted()

    flagged = find(normal(p**power), given).flagged

    assert wrong[flagged].mean() >= 0.7
    assert wrong[flagged].sum() >= 0.8 * wrong.sum()


def test_confidence_does_not_change_which_rows_are_flagged():
    p, given, _ = planted()

    first, second = (set(find(normal(p**power), given).flagged.tolist()) for power in (0.5, 2.0))

    assert len(first & second) >= 0.98 * max(len(first), len(second))


def test_a_sure_model_that_agrees_flags_nothing():
    given = np.arange(60) % 3

    assert len(find(normal(np.eye(3)[given] + 0.05), given).flagged) == 0


def test_one_wrong_label_in_clear_data_is_found_and_the_right_one_suggested():
    given = np.arange(60) % 3
    p = normal(np.eye(3)[given] + 0.05)
    given[7] = 2

    found = find(p, given)

    assert found.flagged.tolist() == [7]
    assert (found.rows[0], found.suggested[7]) == (7, 1)


def test_every_row_is_ranked_once_by_its_score():
    p, given, _ = planted(rows=300)

    found = find(normal(p), given)

    assert sorted(found.rows.tolist()) == list(range(300))
    assert (np.diff(found.scores[found.rows]) >= 0).all()


def test_a_class_nobody_is_labelled_with_is_allowed():
    p, given, _ = planted(rows=200, classes=5)

    found = find(normal(np.column_stack([p, np.full(200, 1e-9)])), given)

    assert 5 not in found.suggested


@pytest.mark.parametrize(
    ("p", "labels"),
    [
        (np.ones((2, 2)) / 2, np.array([0])),
        (np.ones(2), np.array([0, 1])),
        (np.array([[np.nan, 1.0]]), np.array([0])),
        (np.array([[0.5, 0.5]]), np.array([2])),
        (np.empty((0, 2)), np.empty(0, int)),
    ],
)
def test_what_does_not_fit_is_refused(p, labels):
    with pytest.raises(DataError, match="label errors"):
        find(p, labels)
