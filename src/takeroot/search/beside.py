"""Further tasks in one training of a network: their rows and heads beside its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from takeroot.models.text_model import TextModel
from takeroot.search.also import sample
from takeroot.search.work import Part, Work
from takeroot.tasks import Encoded, Task, encode_examples
from takeroot.train import Labelled
from takeroot.train.several import Several, SeveralHeads, Tagged, head_for


@dataclass(frozen=True)
class Beside:
    """What a training learns beside a network's own task.

    Args:
        tasks: The further tasks.
        weights: How much a row of each counts.
        heads: Of each.
        rows: Of all of them.
    """

    tasks: tuple[Task, ...]
    weights: tuple[float, ...]
    heads: tuple[nn.Module, ...]
    rows: tuple[Tagged, ...]

    def network(self, model: TextModel) -> SeveralHeads:
        """The network with these heads, too; encoder and head are the model's own."""
        return SeveralHeads(model, self.heads)

    def learnt(self, own: Labelled, rows: Sequence[Encoded]) -> tuple[Several, list[Tagged]]:
        """What is learnt and from which rows, the network's own task being the first."""
        return Several(own, self.tasks, self.weights), [*tagged(rows), *self.rows]


def tagged(rows: Sequence[Encoded]) -> list[Tagged]:
    """Rows of the network's own task."""
    return [Tagged(row, 0) for row in rows]


def beside(work: Work, model: TextModel, part: Part, dtype: torch.dtype) -> Beside | None:
    """The further tasks of a training on a part; None where the recipe names none.

    Args:
        work: The material.
        model: As training begins with it.
        part: Texts of its judged rows are left out.
        dtype: Number format to embed rows in.
    """
    if not work.also:
        return None
    assert work.pretrained is not None
    heads, rows = [], []
    judged = work.pick(np.setdiff1d(part.judge, part.train))
    for number, each in enumerate(work.also, start=1):
        chosen = sample(each, len(part.train), judged, work.recipe.fit.seed)
        tokenizer = work.pretrained.tokenizer
        encoded = encode_examples(each.task, tokenizer, chosen, work.max_tokens).rows
        heads.append(head_for(each.task, model, encoded, dtype))
        rows += [Tagged(row, number) for row in encoded]
    tasks, weights = zip(*((each.task, each.weight) for each in work.also), strict=True)
    return Beside(tasks, weights, tuple(heads), tuple(rows))
