"""How far a score could have come out otherwise: bootstrap intervals.

N test rows are drawn again N times with replacement, and the score is taken of each draw; the
middle 95 % of those scores is the interval (Efron 1979; percentile method). Rows that agree in all
that a score looks at are interchangeable, so draws are made of *kinds* of rows: a multinomial over
C kinds is the same distribution as drawing N rows, at a cost of B·C instead of B·N.

Shapes: N rows, C kinds of rows, B resamples, G groups.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

RESAMPLES = 1000
LEVEL = 0.95


@dataclass(frozen=True)
class Kinds:
    """Rows put together by what a score looks at.

    Args:
        values: The distinct rows (C, F).
        counts: How many rows are like each (C,).
    """

    values: np.ndarray
    counts: np.ndarray


def kinds_of(*columns: np.ndarray) -> Kinds:
    """The distinct combinations of integer columns (N,) each, and how often each occurs."""
    table = np.stack([np.asarray(column, np.int64) for column in columns], axis=1)
    code = np.zeros(len(table), np.int64)
    for column in table.T:  # dense numbers stay far below overflow where plain products would not
        _, dense = np.unique(column, return_inverse=True)
        _, code = np.unique(code * (int(dense.max(initial=0)) + 1) + dense, return_inverse=True)
    _, first, counts = np.unique(code, return_index=True, return_counts=True)
    return Kinds(table[first], counts)


def resample(counts: np.ndarray, *, resamples: int = RESAMPLES, seed: int = 0) -> np.ndarray:
    """How often each kind is drawn in each resample: float64 (B, C), rows summing to N."""
    counts = np.asarray(counts, np.float64)
    total = int(counts.sum())
    drawn = np.random.default_rng(seed).multinomial(total, counts / total, size=resamples)
    return drawn.astype(np.float64)


def group_sums(weights: np.ndarray, groups: np.ndarray, count: int) -> np.ndarray:
    """Sums of weights (B, C) over the kinds of each group (C,): (B, G)."""
    sums = np.zeros((len(weights), count))
    if len(groups):
        order = np.argsort(groups, kind="stable")
        present, starts = np.unique(groups[order], return_index=True)
        sums[:, present] = np.add.reduceat(weights[:, order], starts, axis=1)
    return sums


def interval(values: np.ndarray, level: float = LEVEL) -> tuple[float, float]:
    """The middle ``level`` of values (B,)."""
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def mean_interval(
    values: np.ndarray, *, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[float, float]:
    """The interval of the mean of per-row values (N,), such as 1 for right and 0 for wrong."""
    distinct, counts = np.unique(np.asarray(values, np.float64), return_counts=True)
    weights = resample(counts, resamples=resamples, seed=seed)
    return interval(weights @ distinct / counts.sum())


def statistic_interval(
    rows: np.ndarray,
    statistic: Callable[[np.ndarray], np.ndarray],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> tuple[float, float]:
    """The interval of a statistic of summed rows.

    Args:
        rows: What each row adds (N, F).
        statistic: From sums over the rows of each resample (B, F) to the score of each (B,).
        resamples: B.
        seed: Of the draws.
    """
    distinct, counts = np.unique(np.asarray(rows, np.float64), axis=0, return_counts=True)
    weights = resample(counts, resamples=resamples, seed=seed)
    return interval(statistic(weights @ distinct))
