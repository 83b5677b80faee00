"""Several tasks learnt over one encoder: every batch mixes their rows, each task has its own head.

Hard parameter sharing (Caruana 1997, Machine Learning 28, section 2), as in MT-DNN (Liu et al.
2019, arXiv:1901.11504, algorithm 1), but that a batch holds rows of all tasks: the encoder runs
once for them, and a step's gradient is of all tasks at once. One task is the one that matters: its
head is kept, and it alone is scored.

Shapes: B rows, T tokens, H hidden, K outputs of a task.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from takeroot.models.text_model import TextModel
from takeroot.tasks import Encoded, Task
from takeroot.train.batches import collate
from takeroot.train.embed import embed
from takeroot.train.objective import Labelled
from takeroot.train.precision import autocast

SHARPNESS = 20.0  # of heads that begin as mean vectors: near enough to what training would scale to


@dataclass(frozen=True)
class Tagged:
    """A row of one of several tasks.

    Args:
        row: As the network takes it.
        which: Its task: 0 is the one that matters, k the k-th of the others.
    """

    row: Encoded
    which: int


class SeveralHeads(TextModel):
    """A text model with further heads on the same vectors.

    Args:
        model: Its encoder and its head are this one's, too.
        heads: Of the other tasks.
    """

    def __init__(self, model: TextModel, heads: Sequence[nn.Module]) -> None:
        super().__init__(
            model.encoder, model.head, pooled=model.pooled, token_types=model.token_types
        )
        self.heads = nn.ModuleList(heads)

    def head_of(self, which: int) -> nn.Module:
        """The head of a task by its number."""
        return self.head if which == 0 else self.heads[which - 1]


@dataclass(frozen=True)
class Several:
    """Learn a task, and others beside it that share the encoder.

    Args:
        main: The task that matters, with what is hidden and contrasted.
        others: The other tasks.
        weights: How much a row of each of them counts beside a row of the first.
    """

    main: Labelled
    others: tuple[Task, ...]
    weights: tuple[float, ...]

    @property
    def metric(self) -> str:
        """Of the task that matters."""
        return self.main.metric

    @property
    def whole(self) -> bool:
        """Whether rows are contrasted with each other."""
        return self.main.whole

    def lengths(self, rows: Sequence[Tagged]) -> np.ndarray:
        """Tokens of each row (N,)."""
        return np.array([len(each.row.ids) for each in rows])

    def decisions(self, rows: Sequence[Tagged]) -> int:
        """Rows, or for tag words, of all tasks."""
        return self.main.decisions([each.row for each in rows])

    def loss(self, model: SeveralHeads, rows: Sequence[Tagged], precision: torch.dtype) -> Tensor:
        """The mean over all decisions, each task's by its own loss and weight."""
        batch = collate([each.row for each in rows])
        masking = self.main.masking
        ids = batch.ids if masking is None else masking.hide(batch.ids)
        with autocast(precision):
            vectors = model.embed(ids, batch.mask, batch.types)
        total = vectors.new_zeros(())
        for which in sorted({each.which for each in rows}):
            places = [place for place, each in enumerate(rows) if each.which == which]
            own = [rows[place].row for place in places]
            share = self.main.decisions(own) / max(self.decisions(rows), 1)
            if which == 0:
                total = total + share * self.main.loss_of(model, vectors[places], own)
            else:
                logits = model.head_of(which)(vectors[places])
                loss = self.others[which - 1].loss(logits, own)
                total = total + share * self.weights[which - 1] * loss
        return total

    def score(self, model: SeveralHeads, rows: Sequence[Tagged], precision: torch.dtype) -> float:
        """The first task's metric on rows of that task."""
        return self.main.score(model, [each.row for each in rows], precision)


def head_for(
    task: Task, model: TextModel, rows: Sequence[Encoded], dtype: torch.dtype
) -> nn.Module:
    """A head that already tells the task's labels apart: each begins as its rows' mean vector.

    For tag, whose heads read words, it begins at random.

    Args:
        task: Gives the head.
        model: The encoder that the vectors are of.
        rows: Of that task.
        dtype: Number format to embed them in.
    """
    head = task.head(model.hidden_size)
    if not task.pooled or not isinstance(head, nn.Linear):
        return head
    vectors = embed(model, rows, dtype=dtype)  # (N, H)
    found = np.array([row.target for row in rows])
    hits = found if found.ndim == 2 else np.eye(len(task.labels))[found]  # (N, K)
    means = (hits.T @ vectors) / np.maximum(hits.sum(axis=0), 1)[:, None]
    centred = SHARPNESS * (means - vectors.mean(axis=0))
    shares = np.clip(hits.mean(axis=0), 1e-4, 1 - 1e-4)
    start = np.log(shares / (1 - shares)) if found.ndim == 2 else np.log(shares)
    with torch.no_grad():
        head.weight.copy_(torch.from_numpy(centred))
        head.bias.copy_(torch.from_numpy(start - centred @ vectors.mean(axis=0)))
    return head
