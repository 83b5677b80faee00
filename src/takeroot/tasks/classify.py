"""Text classification, of single texts and of pairs: exactly one label for each row.

A linear head on the pooled text vector, trained with label-smoothed cross-entropy
(Szegedy et al. 2016, arXiv:1512.00567, section 7).

Shapes: B rows, H hidden size, K labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from takeroot.data.example import Example
from takeroot.errors import DataError
from takeroot.tasks.task import Encoded, check_labels, unknown_label


@dataclass(frozen=True)
class Classify:
    """Give each text, or pair of texts, one of ``labels``.

    Args:
        labels: Label names; their order is the order of the head's outputs.
        name: ``classify`` or ``pair``; a pair's second text is part of its tokens.
        smoothing: Share of the target spread evenly over all labels, in [0, 1).
        weights: Weight of each label in the loss, or None for equal ones.

    Raises:
        RecipeError: If a label repeats, there are fewer than two, or smoothing is out of range.
    """

    labels: tuple[str, ...]
    name: str = "classify"
    smoothing: float = 0.0
    weights: tuple[float, ...] | None = None
    pooled: bool = True
    metric: str = "accuracy"

    def __post_init__(self) -> None:
        """Check what a recipe or a file may have got wrong."""
        check_labels(self.labels, self.smoothing, fewest=2)

    def head(self, hidden_size: int) -> nn.Module:
        """An untrained layer from text vectors (B, H) to logits (B, K)."""
        return nn.Linear(hidden_size, len(self.labels))

    def targets(self, examples: Sequence[Example]) -> list[int]:
        """Index of each row's gold label.

        Raises:
            DataError: If a label is not one of ``labels``.
        """
        index = {label: position for position, label in enumerate(self.labels)}
        for example in examples:
            if example.label not in index:
                raise DataError(unknown_label(example, example.label, self.labels))
        return [index[cast(str, example.label)] for example in examples]

    def loss(self, logits: Tensor, rows: Sequence[Encoded]) -> Tensor:
        """Mean cross-entropy of logits (B, K) against the rows' label indices."""
        targets = torch.tensor([row.target for row in rows])
        weights = None if self.weights is None else torch.tensor(self.weights)
        return F.cross_entropy(logits, targets, weight=weights, label_smoothing=self.smoothing)

    def score(self, logits: Sequence[np.ndarray], rows: Sequence[Encoded]) -> float:
        """Accuracy of the largest logit."""
        predicted = np.stack(list(logits)).argmax(axis=1)
        return float((predicted == np.array([row.target for row in rows])).mean())
