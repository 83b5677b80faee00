"""Answering only where one is sure: what silence buys, and how well a score tells rows apart.

Risk–coverage curve: answer the surest share of rows (coverage) and count the errors among them
(risk) (El-Yaniv and Wiener 2010; Geifman and El-Yaniv 2017, arXiv:1705.08500). Its mean over all
coverages is AURC (Geifman et al. 2019, arXiv:1805.08206). Rows of equal confidence cannot be
ordered, so each takes the group's mean error: the curve does not depend on the order of rows.

AUROC: the chance that a row inside scores above a row outside, ties counting half (the
Mann–Whitney statistic). FPR95: share of outside rows let in where 95 % of inside rows are
(Hendrycks and Gimpel 2017, arXiv:1610.02136; Liang et al. 2018, arXiv:1706.02690).

Shapes: N rows. Cost: one sort.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Curve:
    """A risk–coverage curve.

    Args:
        coverage: Shares of rows answered (N,), rising to 1.
        risk: Share of those answered that is wrong (N,).
        confidence: The lowest confidence answered (N,), falling.
    """

    coverage: np.ndarray
    risk: np.ndarray
    confidence: np.ndarray


def risk_coverage(confidence: np.ndarray, correct: np.ndarray) -> Curve:
    """The curve of confidences (N,) against right or wrong (N,), a point for each row."""
    confidence = np.asarray(confidence, np.float64)
    order = np.argsort(-confidence, kind="stable")
    falling = confidence[order]
    _, group, sizes = np.unique(-falling, return_inverse=True, return_counts=True)
    wrong = 1.0 - np.asarray(correct, np.float64)[order]
    expected = (np.bincount(group, wrong) / sizes)[group]
    taken = np.arange(1, len(falling) + 1)
    return Curve(taken / max(len(falling), 1), np.cumsum(expected) / taken, falling)


def aurc(confidence: np.ndarray, correct: np.ndarray) -> float:
    """Mean risk over all coverages, 0 to 1, lower is better."""
    return float(risk_coverage(confidence, correct).risk.mean())


def auroc(inside: np.ndarray, outside: np.ndarray) -> float:
    """Chance that an inside row scores above an outside one, 0 to 1; 0.5 where a side is empty."""
    inside, outside = np.asarray(inside, np.float64), np.asarray(outside, np.float64)
    if len(inside) == 0 or len(outside) == 0:
        return 0.5
    ordered = np.sort(outside)
    below = np.searchsorted(ordered, inside, "left")
    not_above = np.searchsorted(ordered, inside, "right")
    return float((below + not_above).mean() / (2 * len(outside)))


def fpr95(inside: np.ndarray, outside: np.ndarray) -> float:
    """Share of outside rows that score as high as the threshold 95 % of inside rows reach."""
    threshold = threshold_at(inside, 0.05)
    return float((np.asarray(outside) >= threshold).mean()) if len(outside) else 0.0


def threshold_at(inside: np.ndarray, reject_share: float) -> float:
    """The highest threshold that turns away at most this share of inside rows.

    Args:
        inside: Scores of rows that belong (N,), at least one.
        reject_share: Share, 0 to 1, that may score below the threshold.
    """
    ordered = np.sort(np.asarray(inside, np.float64))
    return float(ordered[min(int(reject_share * len(ordered) + 1e-9), len(ordered) - 1)])
