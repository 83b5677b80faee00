from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from takeroot.train.contrastive import TEMPERATURE, contrastive_loss


def by_the_paper(vectors: Tensor, labels: list[int]) -> float:
    """Equation 2 of arXiv:2004.11362, term by term."""
    rows = range(len(labels))

    def likeness(i: int, j: int) -> float:
        return math.exp(float(vectors[i] @ vectors[j]) / TEMPERATURE)

    losses = []
    for i in rows:
        positives = [p for p in rows if p != i and labels[p] == labels[i]]
        others = sum(likeness(i, a) for a in rows if a != i)
        if positives:
            terms = [math.log(likeness(i, p) / others) for p in positives]
            losses.append(-sum(terms) / len(positives))
    return sum(losses) / len(losses)


def vectors_of(count: int) -> Tensor:
    torch.manual_seed(0)
    return F.normalize(torch.randn(count, 4, dtype=torch.float64), dim=1)


@pytest.mark.parametrize("labels", [[0, 0], [0, 1, 0, 1, 1], [0, 0, 0, 1], [2, 2, 7, 7, 5, 2]])
def test_it_is_the_papers_equation(labels: list[int]):
    vectors = vectors_of(len(labels))

    loss = contrastive_loss(vectors, torch.tensor(labels))

    assert float(loss) == pytest.approx(by_the_paper(vectors, labels), rel=1e-9)


def test_its_gradient_is_that_of_finite_differences():
    labels = torch.tensor([0, 1, 0, 1, 2])
    vectors = vectors_of(5).requires_grad_()

    assert torch.autograd.gradcheck(lambda rows: contrastive_loss(rows, labels), vectors)


@pytest.mark.parametrize("labels", [[3], [0, 1, 2]])
def test_where_no_label_repeats_it_is_zero_with_zero_gradient(labels: list[int]):
    vectors = vectors_of(len(labels)).requires_grad_()

    loss = contrastive_loss(vectors, torch.tensor(labels))
    loss.backward()

    assert float(loss.detach()) == 0.0
    assert not vectors.grad.any()
