"""Learn from rows whose label is not sure: each has a probability for every label, and a weight.

The loss of a row is the cross-entropy against its probabilities, weighted:

    L = 1/B * sum_i  w_i * -sum_k q_ik log p_ik

which for a labelled row (q one-hot, w = 1) is the usual one (Hinton et al. 2015, arXiv:1503.02531,
"Distilling the Knowledge in a Neural Network", at temperature 1).

Shapes: B rows, K labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from takeroot.models.text_model import TextModel
from takeroot.tasks import Encoded, Task
from takeroot.train.batches import collate
from takeroot.train.embed import predict
from takeroot.train.masking import Masking
from takeroot.train.precision import autocast


@dataclass(frozen=True, slots=True)
class SoftRow:
    """A row and what its label may be.

    Args:
        row: As the network takes it; its own target is not looked at.
        chances: Probability of each label (K,), adding up to 1.
        weight: Of its loss, 0 or more.
    """

    row: Encoded
    chances: np.ndarray
    weight: float = 1.0


@dataclass(frozen=True)
class SoftLabelled:
    """Learn probabilities of labels that exclude each other.

    Args:
        task: Names the metric and gives the score.
        masking: Tokens hidden at random, or None.
    """

    task: Task
    masking: Masking | None = None
    whole: bool = False

    @property
    def metric(self) -> str:
        """The task's."""
        return self.task.metric

    def lengths(self, rows: Sequence[SoftRow]) -> np.ndarray:
        """Tokens of each row (N,)."""
        return np.array([len(each.row.ids) for each in rows])

    def decisions(self, rows: Sequence[SoftRow]) -> int:
        """Rows."""
        return len(rows)

    def loss(self, model: TextModel, rows: Sequence[SoftRow], precision: torch.dtype) -> Tensor:
        """The weighted mean cross-entropy against the rows' probabilities."""
        batch = collate([each.row for each in rows])
        ids = batch.ids if self.masking is None else self.masking.hide(batch.ids)
        with autocast(precision):
            vectors = model.embed(ids, batch.mask, batch.types)
        logs = model.head(vectors).log_softmax(dim=1)  # (B, K)
        chances = torch.from_numpy(np.stack([each.chances for each in rows])).float()
        weights = torch.tensor([each.weight for each in rows])
        loss: Tensor = -(weights * (chances * logs).sum(dim=1)).mean()
        return loss

    def score(self, model: TextModel, rows: Sequence[SoftRow], precision: torch.dtype) -> float:
        """The task's metric by the rows' own targets."""
        plain = [each.row for each in rows]
        logits, _ = predict(model, plain, dtype=precision)
        return self.task.score(logits, plain)
