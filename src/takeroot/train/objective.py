"""What a training lowers: the loop sees rows and a loss, and nothing of texts and labels.

Shapes: B rows, T tokens of the longest, H hidden, K outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from takeroot.models.text_model import TextModel
from takeroot.tasks import Encoded, Task
from takeroot.train.batches import collate
from takeroot.train.contrastive import contrastive_loss
from takeroot.train.embed import predict
from takeroot.train.masking import Masking
from takeroot.train.precision import autocast


class Objective(Protocol):
    """What a training lowers, and how its result is judged; it knows its rows and its network."""

    @property
    def metric(self) -> str:
        """Name of the score."""

    @property
    def whole(self) -> bool:
        """Whether the rows of a batch must be computed together."""

    def lengths(self, rows: Sequence[Any]) -> np.ndarray:
        """Tokens of each row (N,), by which batches are made."""

    def decisions(self, rows: Sequence[Any]) -> int:
        """What the loss of some rows is the mean over, such as rows or words."""

    def loss(self, model: Any, rows: Sequence[Any], precision: torch.dtype) -> Tensor:
        """The mean loss of some rows, its matrix products computed in ``precision``."""

    def score(self, model: Any, rows: Sequence[Any], precision: torch.dtype) -> float:
        """The metric on some rows, higher is better."""


@dataclass(frozen=True)
class Labelled:
    """Learn a task from labelled rows.

    Args:
        task: Gives loss and score.
        masking: Tokens hidden at random, or None.
        contrastive: Weight of the supervised contrastive loss beside the task's own; 0 for tasks
            that give a row any number of labels.
        penalty: Added to the loss, or None.
    """

    task: Task
    masking: Masking | None = None
    contrastive: float = 0.0
    penalty: Callable[[], Tensor] | None = None

    @property
    def metric(self) -> str:
        """The task's."""
        return self.task.metric

    @property
    def whole(self) -> bool:
        """Whether rows are contrasted with each other."""
        return self.contrastive > 0

    def lengths(self, rows: Sequence[Encoded]) -> np.ndarray:
        """Tokens of each row (N,)."""
        return np.array([len(row.ids) for row in rows])

    def decisions(self, rows: Sequence[Encoded]) -> int:
        """Rows, or for tag words."""
        return len(rows) if self.task.pooled else sum(len(row.words) for row in rows)

    def loss(self, model: TextModel, rows: Sequence[Encoded], precision: torch.dtype) -> Tensor:
        """The task's loss of some rows, with the contrastive one where it is asked for."""
        batch = collate(rows)
        ids = batch.ids if self.masking is None else self.masking.hide(batch.ids)
        with autocast(precision):
            vectors = model.embed(ids, batch.mask, batch.types)
        return self.loss_of(model, vectors, rows)

    def loss_of(self, model: TextModel, vectors: Tensor, rows: Sequence[Encoded]) -> Tensor:
        """The loss of some rows from their vectors (B, H), or for tag (B, T, H)."""
        loss = self.task.loss(model.head(vectors), rows)
        if self.contrastive:
            labels = torch.tensor([row.target for row in rows])
            loss = loss + self.contrastive * contrastive_loss(vectors, labels)
        return loss if self.penalty is None else loss + self.penalty()

    def score(self, model: TextModel, rows: Sequence[Encoded], precision: torch.dtype) -> float:
        """The task's metric on some rows."""
        logits, _ = predict(model, rows, dtype=precision)
        return self.task.score(logits, rows)
