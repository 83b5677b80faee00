"""Multi-label classification: any number of labels, none included, for each text.

One independent logistic output a label, trained with binary cross-entropy.

Shapes: B rows, H hidden size, K labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from takeroot.data.example import Example
from takeroot.errors import DataError
from takeroot.tasks.task import Encoded, check_labels, unknown_label


@dataclass(frozen=True)
class MultiLabel:
    """Give each text every label that fits.

    Args:
        labels: Label names; their order is the order of the head's outputs.
        smoothing: How far targets move from 0 and 1 towards one half, in [0, 1).
        weights: Weight of each label's positive rows in the loss, or None for 1.

    Raises:
        RecipeError: If a label repeats, there is none, or smoothing is out of range.
    """

    labels: tuple[str, ...]
    smoothing: float = 0.0
    weights: tuple[float, ...] | None = None
    name: str = "multilabel"
    pooled: bool = True
    metric: str = "macro_f1"

    def __post_init__(self) -> None:
        """Check what a recipe or a file may have got wrong."""
        check_labels(self.labels, self.smoothing, fewest=1)

    def head(self, hidden_size: int) -> nn.Module:
        """An untrained layer from text vectors (B, H) to logits (B, K)."""
        return nn.Linear(hidden_size, len(self.labels))

    def targets(self, examples: Sequence[Example]) -> list[list[int]]:
        """For each row, 1 for each of ``labels`` it has and 0 for the others.

        Raises:
            DataError: If a row has a label that is not one of ``labels``.
        """
        known = set(self.labels)
        rows = []
        for example in examples:
            names = example.label or ()
            for name in names:
                if name not in known:
                    raise DataError(unknown_label(example, name, self.labels))
            rows.append([int(label in names) for label in self.labels])
        return rows

    def loss(self, logits: Tensor, rows: Sequence[Encoded]) -> Tensor:
        """Binary cross-entropy of logits (B, K), summed over labels, its mean over rows."""
        targets = torch.tensor([row.target for row in rows], dtype=torch.float32)
        targets = targets * (1 - self.smoothing) + self.smoothing / 2
        weights = None if self.weights is None else torch.tensor(self.weights)
        each = F.binary_cross_entropy_with_logits(
            logits, targets, pos_weight=weights, reduction="none"
        )
        return each.sum(dim=1).mean()

    def score(self, logits: Sequence[np.ndarray], rows: Sequence[Encoded]) -> float:
        """Macro-F1 with each label's best threshold on these very rows.

        NOTE: optimistic by what the thresholds gain on their own rows, for every candidate alike.
        """
        return best_macro_f1(np.stack(list(logits)), np.array([row.target for row in rows]))


def best_macro_f1(logits: np.ndarray, gold: np.ndarray) -> float:
    """Macro-F1 of logits (B, K) against 0/1 targets (B, K), each label at its best threshold."""
    order = np.argsort(-logits, axis=0)
    falling = np.take_along_axis(logits, order, axis=0)
    hits = np.cumsum(np.take_along_axis(gold, order, axis=0), axis=0)  # (B, K)
    taken = np.arange(1, len(logits) + 1)[:, None]
    f1 = 2 * hits / (taken + gold.sum(axis=0))
    # No threshold lies between equal logits.
    apart = np.concatenate([falling[:-1] > falling[1:], np.ones((1, logits.shape[1]), bool)])
    return float(np.where(apart, f1, 0.0).max(axis=0).mean())
