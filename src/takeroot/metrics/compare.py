"""Is one model better than another on the same rows, or was it luck?

Paired bootstrap: both models are scored on the same resampled rows, and the interval is taken of
the difference (Koehn 2004, "Statistical significance tests for machine translation evaluation").
McNemar's exact test: of the rows where just one model is right, the better one's share is set
against a fair coin (McNemar 1947; exact binomial form, two-sided).

Shapes: N rows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from takeroot.metrics.bootstrap import RESAMPLES, interval, resample

MOST_EXACT = 100_000  # rows beyond which the binomial sum is cut to where terms still count


@dataclass(frozen=True)
class Difference:
    """A mean difference and how sure it is.

    Args:
        mean: Second minus first.
        low: Lower end of its 95 % interval.
        high: Upper end.
        better: Share of resamples where the second is ahead, ties counting half.
    """

    mean: float
    low: float
    high: float
    better: float


def paired_difference(
    first: np.ndarray, second: np.ndarray, *, resamples: int = RESAMPLES, seed: int = 0
) -> Difference:
    """How much the mean of ``second`` (N,) lies above that of ``first`` (N,), row by row."""
    gaps = np.asarray(second, np.float64) - np.asarray(first, np.float64)
    distinct, counts = np.unique(gaps, return_counts=True)
    weights = resample(counts, resamples=resamples, seed=seed)
    return difference_of(float(gaps.mean()), weights @ distinct / counts.sum())


def difference_of(mean: float, draws: np.ndarray) -> Difference:
    """The difference with its interval from the differences of the resamples (B,)."""
    low, high = interval(draws)
    better = float((draws > 0).mean() + 0.5 * (draws == 0).mean())
    return Difference(mean, low, high, better)


def mcnemar(only_first: int, only_second: int) -> float:
    """Two-sided exact p-value that both models are equally often right.

    Args:
        only_first: Rows where just the first is right.
        only_second: Rows where just the second is right.
    """
    total, fewer = only_first + only_second, min(only_first, only_second)
    if only_first == only_second:
        return 1.0
    start = max(0, fewer - MOST_EXACT)
    terms = [_log_choose(total, count) for count in range(start, fewer + 1)]
    top = max(terms)
    log_tail = top + math.log(sum(math.exp(term - top) for term in terms)) - total * math.log(2)
    return min(1.0, 2.0 * math.exp(log_tail))


def _log_choose(total: int, count: int) -> float:
    """Logarithm of the number of ways to choose ``count`` of ``total``."""
    return math.lgamma(total + 1) - math.lgamma(count + 1) - math.lgamma(total - count + 1)
