"""Supervised contrastive loss: texts of one label closer to each other than to all others.

Khosla et al. 2020, arXiv:2004.11362, equation 2 (the sum outside the logarithm):

    L = mean_i  -1/|P(i)| * sum_{p in P(i)} log( exp(z_i.z_p / t) / sum_{a != i} exp(z_i.z_a / t) )

with P(i) the other rows of i's label. Cost: one product of the batch with itself, so an epoch's
cost grows with the number of texts, not of pairs. Rows alone with their label are left out of the
mean (the paper assumes two views of each).

Shapes: B rows, H hidden size.
"""

from __future__ import annotations

import torch
from torch import Tensor

TEMPERATURE = 0.1


def contrastive_loss(vectors: Tensor, labels: Tensor) -> Tensor:
    """The loss of unit-length vectors (B, H) with labels (B,); 0 where no label repeats."""
    similarity = vectors @ vectors.T / TEMPERATURE  # (B, B)
    itself = torch.eye(len(labels), dtype=torch.bool)
    logs = similarity.masked_fill(itself, float("-inf")).log_softmax(dim=1).masked_fill(itself, 0.0)
    positive = (labels[:, None] == labels[None, :]) & ~itself
    counts = positive.sum(dim=1)
    rows = counts > 0
    if not bool(rows.any()):
        return similarity.sum() * 0.0
    return -((logs * positive).sum(dim=1)[rows] / counts[rows]).mean()
