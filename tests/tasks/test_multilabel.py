from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from takeroot.data.example import Example
from takeroot.tasks import Encoded, MultiLabel
from takeroot.tasks.multilabel import best_macro_f1


def row(*target: int) -> Encoded:
    return Encoded([2, 3], [0, 0], (), target)


def test_targets_say_which_labels_a_row_has():
    task = MultiLabel(("a", "b", "c"))

    found = task.targets([Example("x", ("a", "c")), Example("y", ()), Example("z", None)])

    assert found == [[1, 0, 1], [0, 0, 0], [0, 0, 0]]


def test_loss_sums_over_labels_and_averages_over_rows():
    chances = torch.tensor([[0.9, 0.2], [0.5, 0.5]])

    loss = MultiLabel(("a", "b")).loss(torch.logit(chances), [row(1, 0), row(0, 1)])

    by_hand = (math.log(0.9) + math.log(0.8) + 2 * math.log(0.5)) / -2
    assert float(loss) == pytest.approx(by_hand, rel=1e-5)


def test_smoothing_moves_targets_towards_one_half():
    logits = torch.logit(torch.tensor([[0.9]]))

    loss = MultiLabel(("a",), smoothing=0.2).loss(logits, [row(1)])

    assert float(loss) == pytest.approx(-(0.9 * math.log(0.9) + 0.1 * math.log(0.1)), rel=1e-5)


def test_weights_count_for_rows_that_have_the_label():
    logits = torch.logit(torch.tensor([[0.9], [0.2]]))

    loss = MultiLabel(("a",), weights=(4.0,)).loss(logits, [row(1), row(0)])

    assert float(loss) == pytest.approx(-(4 * math.log(0.9) + math.log(0.8)) / 2, rel=1e-5)


def brute_force(logits: np.ndarray, gold: np.ndarray) -> float:
    """The best F1 of each label over every threshold there is, by scikit-learn."""
    best = []
    for scores, truth in zip(logits.T, gold.T, strict=True):
        answers = [scores >= threshold for threshold in scores]
        best.append(max(f1_score(truth, answer, zero_division=0) for answer in answers))
    return float(np.mean(best))


@settings(max_examples=30)  # scikit-learn scores every threshold
@given(st.data())
def test_best_macro_f1_is_what_trying_every_threshold_finds(data: st.DataObject):
    count, width = data.draw(st.integers(1, 6)), data.draw(st.integers(1, 3))
    cells = st.lists(st.integers(0, 3), min_size=count * width, max_size=count * width)
    logits = np.array(data.draw(cells), float).reshape(count, width)  # many are equal
    gold = np.array(data.draw(cells)).reshape(count, width) % 2

    assert best_macro_f1(logits, gold) == pytest.approx(brute_force(logits, gold), abs=1e-12)


def test_score_is_the_best_macro_f1():
    logits = [np.array([0.3, -1.0]), np.array([0.1, -3.0]), np.array([-0.5, -2.0])]

    score = MultiLabel(("a", "b")).score(logits, [row(1, 1), row(0, 0), row(1, 0)])

    assert score == pytest.approx((0.8 + 1.0) / 2)
