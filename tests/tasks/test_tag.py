from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from takeroot.data.example import Example, Span
from takeroot.tasks import Encoded, Tag
from takeroot.tasks.tag import spans_in


def row(words: list[int], target: list[int], length: int = 5) -> Encoded:
    return Encoded([2] * length, [0] * length, words, target)


def chances(*rows: list[float]) -> torch.Tensor:
    return torch.log(torch.tensor([list(rows)]))


def test_loss_is_the_mean_over_words_first_tokens():
    logits = chances([0.1, 0.1, 0.8], [0.5, 0.3, 0.2], [0.9, 0.05, 0.05], [0.2, 0.6, 0.2])

    loss = Tag(("x",)).loss(logits, [row([1, 3], [0, 1], 4)])

    assert float(loss) == pytest.approx(-(math.log(0.5) + math.log(0.6)) / 2, rel=1e-6)


def test_other_tokens_have_no_gradient():
    logits = torch.randn(1, 4, 3, requires_grad=True)

    Tag(("x",)).loss(logits, [row([1, 3], [0, 1], 4)]).backward()

    assert logits.grad.abs().sum(dim=-1)[0].gt(0).tolist() == [False, True, False, True]


def test_words_of_all_rows_weigh_the_same():
    one, other = chances([0.5, 0.25, 0.25], [0.2, 0.4, 0.4]), chances([0.8, 0.1, 0.1], [1, 0, 0])
    rows = [row([0, 1], [0, 0], 2), row([0], [0], 1)]

    loss = Tag(("x",)).loss(torch.cat([one, other]), rows)

    assert float(loss) == pytest.approx(-math.log(0.5 * 0.2 * 0.8) / 3, rel=1e-6)


def test_rows_without_words_cost_nothing():
    logits = torch.randn(2, 3, 3, requires_grad=True)

    loss = Tag(("x",)).loss(logits, [row([], [], 3), row([], [], 2)])
    loss.backward()

    assert float(loss.detach()) == 0.0
    assert not logits.grad.any()


def test_score_counts_whole_entities():
    # Tags of x and y: O B-x I-x B-y I-y. Found: x at 0-1, y at 3; wanted: x at 0-1, x at 3.
    found = np.eye(5)[[1, 2, 0, 3]]

    assert Tag(("x", "y")).score([found], [row([0, 1, 2, 3], [1, 2, 0, 1])]) == 0.5


def test_an_entity_cut_short_is_wrong():
    assert Tag(("x",)).score([np.eye(3)[[1, 0]]], [row([0, 1], [1, 2])]) == 0.0


def test_nothing_found_where_nothing_is_scores_zero():
    assert Tag(("x",)).score([np.eye(3)[[0, 0]]], [row([0, 1], [0, 0])]) == 0.0


def test_the_head_has_two_tags_a_label_and_one_for_none():
    assert Tag(("x", "y")).head(8).out_features == 5


def test_only_spans_are_entities():
    assert spans_in(Example("x", ("a", "b"))) == []
    assert spans_in(Example("x", (Span(0, 1, "a"),))) == [Span(0, 1, "a")]
