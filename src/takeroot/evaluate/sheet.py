"""Answers set against the truth: what every task hands to the one evaluation.

A sheet says what each row adds to the scores, as a row of integers, and how scores follow from
weighted rows. The score of the test set, its bootstrap interval and the comparison of two models
on the same rows are then one function called with different weights.

Shapes: N rows, F integers a row, C distinct rows, B weightings, K labels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from takeroot.metrics.bootstrap import interval, kinds_of, resample
from takeroot.metrics.counts import Counts

Score = Callable[[np.ndarray, np.ndarray], dict[str, np.ndarray]]


@dataclass(frozen=True)
class Mistake:
    """One wrong decision.

    Args:
        row: Index of the row it was made in.
        gold: The label it should have been, None where there should have been none.
        predicted: The label that was given, None where none was.
        confidence: How sure the model was.
        excerpt: The stretch of text concerned (tag), else empty: the whole text.
    """

    row: int
    gold: str | None
    predicted: str | None
    confidence: float
    excerpt: str = ""


@dataclass(frozen=True)
class Sheet:
    """Answers set against the truth.

    Args:
        metric: Name of the score that sums the task up.
        rows: All that scores depend on, row by row (N, F).
        score: From distinct rows (C, F) and weights (B, C) to the scores by name, each (B,).
        counts: Hits, predictions and gold items of each label (K,).
        confidence: Of each row's answer (N,).
        correct: Whether the row's answer is right as a whole (N,).
        abstained: Whether the model would rather not answer (N,).
        decision_confidence: Probabilities that can be held against the truth (D,).
        decision_correct: Whether each came true (D,).
        mistakes: Every wrong decision.
        extras: Further scores that have no interval.
    """

    metric: str
    rows: np.ndarray
    score: Score
    counts: Counts
    confidence: np.ndarray
    correct: np.ndarray
    abstained: np.ndarray
    decision_confidence: np.ndarray
    decision_correct: np.ndarray
    mistakes: tuple[Mistake, ...]
    extras: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Measured:
    """Scores and the 95 % bootstrap interval of each, by name."""

    scores: dict[str, float]
    intervals: dict[str, tuple[float, float]]


def measure(sheet: Sheet) -> Measured:
    """The sheet's scores with their intervals."""
    kinds = kinds_of(*sheet.rows.T)
    scores = sheet.score(kinds.values, kinds.counts[None].astype(np.float64))
    draws = sheet.score(kinds.values, resample(kinds.counts))
    return Measured(
        {name: float(values[0]) for name, values in scores.items()},
        {name: interval(values) for name, values in draws.items()},
    )
