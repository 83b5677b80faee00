"""Entity recognition: find labelled stretches of a text.

A linear head on each word's first sub-token (Devlin et al. 2019, arXiv:1810.04805, section 5.3)
over the BIO tags of the labels, trained with cross-entropy; decoding is a constrained Viterbi
search (``takeroot.bundle.tags``), which never emits an invalid sequence.

Shapes: B rows, T tokens, W words, H hidden size, K tags.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from takeroot.bundle.tags import spans_of, tag_names, viterbi
from takeroot.data.example import Example, Span
from takeroot.errors import DataError
from takeroot.tasks.task import Encoded, check_labels, unknown_label

IGNORED = -100  # target of a token that carries no decision


@dataclass(frozen=True)
class Tag:
    """Find the entities of a text.

    Args:
        labels: Entity types; their order fixes the order of the tags.
        smoothing: Share of the target spread evenly over all tags, in [0, 1).
        weights: Weight of each tag in the loss, or None for equal ones.

    Raises:
        RecipeError: If there is no label, one repeats, or smoothing is out of range.
    """

    labels: tuple[str, ...]
    smoothing: float = 0.0
    weights: tuple[float, ...] | None = None
    name: str = "tag"
    pooled: bool = False
    metric: str = "entity_f1"

    def __post_init__(self) -> None:
        """Check what a recipe or a file may have got wrong."""
        check_labels(self.labels, self.smoothing, fewest=1)

    def head(self, hidden_size: int) -> nn.Module:
        """An untrained layer from token vectors (B, T, H) to logits (B, T, K)."""
        return nn.Linear(hidden_size, len(tag_names(self.labels)))

    def targets(self, examples: Sequence[Example]) -> list[list[int]]:
        """Empty: targets belong to words, which only the tokenizer knows (``encode``).

        Raises:
            DataError: If an entity's label is not one of ``labels``.
        """
        for example in examples:
            for span in spans_in(example):
                if span.label not in self.labels:
                    raise DataError(unknown_label(example, span.label, self.labels))
        return [[] for _ in examples]

    def loss(self, logits: Tensor, rows: Sequence[Encoded]) -> Tensor:
        """Mean cross-entropy over all words of logits (B, T, K); 0 where there is no word."""
        targets = torch.full(logits.shape[:2], IGNORED)
        for index, row in enumerate(rows):
            targets[index, list(row.words)] = torch.tensor(row.target, dtype=torch.long)
        if not any(row.words for row in rows):
            return logits.sum() * 0.0
        weights = None if self.weights is None else torch.tensor(self.weights)
        return F.cross_entropy(
            logits.flatten(0, 1),
            targets.flatten(),
            weight=weights,
            ignore_index=IGNORED,
            label_smoothing=self.smoothing,
        )

    def score(self, logits: Sequence[np.ndarray], rows: Sequence[Encoded]) -> float:
        """Entity F1 over words: type, first and last word must agree."""
        hits = predicted = gold = 0
        for row_logits, row in zip(logits, rows, strict=True):
            found = set(spans_of(viterbi(row_logits, self.labels), self.labels))
            wanted = set(spans_of(list(row.target), self.labels))  # type: ignore[arg-type]
            hits += len(found & wanted)
            predicted += len(found)
            gold += len(wanted)
        return 2 * hits / max(predicted + gold, 1)


def spans_in(example: Example) -> list[Span]:
    """The gold entities of a row."""
    return [span for span in example.label or () if isinstance(span, Span)]
