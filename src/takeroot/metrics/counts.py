"""Precision, recall and F1 from counts: the one place where every task gets them.

A count is what was found rightly (``hits``), what was found at all (``predicted``) and what there
was to find (``gold``), a number for each class. A ratio without a denominator is 0, as in
scikit-learn with ``zero_division=0``.

Shapes: K classes; any leading dimensions (such as B resamples) are kept.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Counts:
    """What was found, class by class.

    Args:
        hits: Rightly found (…, K).
        predicted: Found at all (…, K).
        gold: There to be found (…, K).
    """

    hits: np.ndarray
    predicted: np.ndarray
    gold: np.ndarray

    @property
    def precision(self) -> np.ndarray:
        """Share of the found that is right (…, K)."""
        return ratio(self.hits, self.predicted)

    @property
    def recall(self) -> np.ndarray:
        """Share of what there was that is found (…, K)."""
        return ratio(self.hits, self.gold)

    @property
    def f1(self) -> np.ndarray:
        """Harmonic mean of precision and recall (…, K)."""
        return ratio(2 * self.hits, self.predicted + self.gold)

    @property
    def seen(self) -> np.ndarray:
        """Whether a class occurs at all, in truth or in prediction (…, K)."""
        return np.asarray((self.predicted + self.gold) > 0)

    @property
    def micro(self) -> Counts:
        """All classes thrown together (…, 1)."""
        hits, predicted, gold = (
            part.sum(axis=-1, keepdims=True) for part in (self.hits, self.predicted, self.gold)
        )
        return Counts(hits, predicted, gold)


def ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """``above / below`` in float64, 0 where there is nothing below."""
    above, below = np.asarray(above, np.float64), np.asarray(below, np.float64)
    zeros = np.zeros(np.broadcast(above, below).shape)
    return np.asarray(np.divide(above, below, out=zeros, where=below > 0))


def mean_over_seen(values: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Mean of values (…, K) over the classes that occur, 0 where none does."""
    return ratio((values * seen).sum(axis=-1), seen.sum(axis=-1))
