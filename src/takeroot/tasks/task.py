"""What a task is: how rows become token ids and targets, and how outputs become a score.

The training loop sees nothing but this interface; decoding outputs into answers is the bundle's
(``takeroot.bundle.decode``), so that training and serving cannot disagree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from torch import Tensor, nn

from takeroot.data.example import Example
from takeroot.errors import RecipeError


@dataclass(frozen=True, slots=True)
class Encoded:
    """A row as the network takes it.

    Args:
        ids: Token ids with special tokens, at most ``max_tokens``.
        types: Token type ids, as many.
        words: Positions of the tokens that carry a decision (tag), else empty.
        target: Label index; 0/1 for each label (multilabel); tag index for each of ``words``.
    """

    ids: Sequence[int]
    types: Sequence[int]
    words: Sequence[int]
    target: int | Sequence[int]


class Task(Protocol):
    """How examples are learnt from. Implementations are frozen dataclasses; all methods are pure.

    Shapes: B rows, T tokens, H hidden, K outputs.
    """

    @property
    def name(self) -> str:
        """The name the recipe and the bundle use."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Label names, in the order of the outputs."""

    @property
    def pooled(self) -> bool:
        """Whether outputs are one row a text, or one a token."""

    @property
    def metric(self) -> str:
        """Name of the score that decides between models."""

    def head(self, hidden_size: int) -> nn.Module:
        """An untrained layer from vectors (…, H) to logits (…, K)."""

    def targets(self, examples: Sequence[Example]) -> Sequence[int | Sequence[int]]:
        """The target of each row; empty lists for a task whose targets need tokens.

        Raises:
            DataError: If a row's label is not one of ``labels``.
        """

    def loss(self, logits: Tensor, rows: Sequence[Encoded]) -> Tensor:
        """Mean loss of logits (B, K) or (B, T, K)."""

    def score(self, logits: Sequence[np.ndarray], rows: Sequence[Encoded]) -> float:
        """The metric, 0 to 1, higher is better, from each row's logits (K,) or (W, K)."""


def check_labels(labels: Sequence[str], smoothing: float, fewest: int) -> None:
    """Refuse what a recipe or a file may have got wrong.

    Raises:
        RecipeError: If a label repeats, there are fewer than ``fewest``, or smoothing is not in
            [0, 1).
    """
    if len(labels) < fewest or len(set(labels)) < len(labels):
        raise RecipeError(f"labels: need {fewest} or more different names, got {tuple(labels)}")
    if not 0.0 <= smoothing < 1.0:
        raise RecipeError(f"fit.label_smoothing: must be in [0, 1), got {smoothing}")


def unknown_label(example: Example, label: object, labels: Sequence[str]) -> str:
    """The message for a row whose label was never seen in training."""
    shown = ", ".join(labels[:20]) + (f", … ({len(labels)} in all)" if len(labels) > 20 else "")
    return f"{example.source}: label {label!r} is not one of: {shown}"
