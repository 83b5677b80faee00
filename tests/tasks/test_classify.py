from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from takeroot.data.example import Example
from takeroot.errors import DataError
from takeroot.tasks import Classify, Encoded


def row(target: int) -> Encoded:
    return Encoded([2, 3], [0, 0], (), target)


def test_targets_are_places_in_the_labels():
    task = Classify(("no", "yes"))

    assert task.targets([Example("x", "yes"), Example("y", "no")]) == [1, 0]


def test_a_row_without_label_is_refused():
    with pytest.raises(DataError, match=r"a\.csv:3: label None is not one of: no, yes"):
        Classify(("no", "yes")).targets([Example("x", None, source="a.csv:3")])


def test_only_the_first_of_many_labels_are_shown():
    task = Classify(tuple(f"label{k}" for k in range(30)))

    with pytest.raises(DataError, match=r"label19, … \(30 in all\)$"):
        task.targets([Example("x", "other")])


def test_loss_is_the_mean_negative_log_probability():
    logits = torch.log(torch.tensor([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]]))

    loss = Classify(("a", "b", "c")).loss(logits, [row(0), row(1)])

    assert float(loss) == pytest.approx(-(math.log(0.5) + math.log(0.1)) / 2, rel=1e-6)


def test_smoothing_spreads_a_share_over_all_labels():
    logits = torch.log(torch.tensor([[0.5, 0.25, 0.25]]))

    loss = Classify(("a", "b", "c"), smoothing=0.3).loss(logits, [row(0)])

    assert float(loss) == pytest.approx(-(0.8 * math.log(0.5) + 0.2 * math.log(0.25)), rel=1e-6)


def test_label_weights_make_a_weighted_mean():
    logits = torch.log(torch.tensor([[0.5, 0.5], [0.2, 0.8]]))

    loss = Classify(("a", "b"), weights=(3.0, 1.0)).loss(logits, [row(0), row(1)])

    assert float(loss) == pytest.approx(-(3 * math.log(0.5) + math.log(0.8)) / 4, rel=1e-6)


def test_score_is_the_share_of_rows_with_the_right_label_on_top():
    logits = [np.array(each) for each in ([2.0, 1.0], [0.0, 1.0], [5.0, 1.0])]

    assert Classify(("a", "b")).score(logits, [row(0), row(1), row(1)]) == pytest.approx(2 / 3)
