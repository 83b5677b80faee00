"""Probabilities one can believe: temperature scaling and how to see whether it worked.

Temperature scaling divides all logits by one number T, which keeps every label and changes only
confidence (Guo et al. 2017, arXiv:1706.04599, section 4.2). The negative log-likelihood is convex
in the inverse temperature b = 1/T; its derivative ``mean(E_p[z] - z_y)`` (softmax of b z) rises
with b, so its root is bracketed and bisected: no optimiser, no starting point, same answer
everywhere. Cost: about 50 passes over the logits. For independent labels the same holds with
sigmoids, every single decision counted once.

Expected calibration error: mean gap between confidence and accuracy over equal-width bins,
weighted by rows (Guo et al. 2017, equation 3; Naeini et al. 2015).

Shapes: N rows, K classes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

LOWEST, HIGHEST = 0.05, 20.0  # temperatures beyond these mean too few rows to judge by
STEPS = 50  # bisections of the bracket: enough for float64
BINS = 15


@dataclass(frozen=True)
class Bin:
    """Rows of about the same confidence.

    Args:
        low: Lower edge of the bin.
        high: Upper edge.
        count: Rows in it.
        confidence: Their mean confidence.
        accuracy: Share of them that is right.
    """

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities (N, K) of logits (N, K)."""
    return np.asarray(np.exp(log_softmax(logits)))


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Logarithms of the softmax (N, K), in float64."""
    shifted = np.asarray(logits, np.float64)
    shifted = shifted - shifted.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """``1 / (1 + exp(-logits))`` of any shape, in float64, without overflow."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * np.asarray(logits, np.float64))))


def nll(logits: np.ndarray, gold: np.ndarray) -> float:
    """Mean negative log-likelihood of the gold indices (N,) under the softmax of logits (N, K)."""
    return float(-log_softmax(logits)[np.arange(len(logits)), gold].mean())


def binary_nll(logits: np.ndarray, gold: np.ndarray) -> float:
    """Mean negative log-likelihood of 0/1 targets (N, K) under the sigmoid of logits (N, K)."""
    logits = np.asarray(logits, np.float64)
    return float((np.logaddexp(0, logits) - np.asarray(gold) * logits).mean())


def fit_temperature(logits: np.ndarray, gold: np.ndarray) -> float:
    """The temperature, 0.05 to 20, with the least ``nll(logits / temperature, gold)``.

    Args:
        logits: Held-out logits (N, K); no rows give 1.
        gold: Label indices (N,).
    """
    logits = np.asarray(logits, np.float64)
    right = logits[np.arange(len(logits)), gold].sum()

    def slope(inverse: float) -> float:
        return float((softmax(logits * inverse) * logits).sum() - right)

    return 1.0 if len(logits) == 0 else _root(slope)


def fit_sigmoid_temperature(logits: np.ndarray, gold: np.ndarray) -> float:
    """The temperature, 0.05 to 20, with the least ``binary_nll(logits / temperature, gold)``.

    Args:
        logits: Held-out logits (N, K); no rows give 1.
        gold: 0/1 targets (N, K).
    """
    logits = np.asarray(logits, np.float64)
    right = (logits * np.asarray(gold)).sum()

    def slope(inverse: float) -> float:
        return float((sigmoid(logits * inverse) * logits).sum() - right)

    return 1.0 if logits.size == 0 else _root(slope)


def ece(confidence: np.ndarray, correct: np.ndarray, bins: int = BINS) -> float:
    """Expected calibration error, 0 to 1, of confidences (N,) against right or wrong (N,)."""
    parts = reliability(confidence, correct, bins)
    total = max(sum(part.count for part in parts), 1)
    return sum(part.count * abs(part.confidence - part.accuracy) for part in parts) / total


def reliability(confidence: np.ndarray, correct: np.ndarray, bins: int = BINS) -> list[Bin]:
    """The equal-width bins of confidence that hold any row, lowest first.

    Args:
        confidence: Of each row (N,), 0 to 1.
        correct: Whether the row is right (N,).
        bins: How many bins 0 to 1 is cut into; a bin holds its upper edge, as in the paper.
    """
    confidence = np.asarray(confidence, np.float64)
    place = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    counts = np.bincount(place, minlength=bins)
    sums = np.bincount(place, confidence, bins)
    hits = np.bincount(place, np.asarray(correct, np.float64), bins)
    return [
        Bin(
            index / bins,
            (index + 1) / bins,
            int(counts[index]),
            float(sums[index] / counts[index]),
            float(hits[index] / counts[index]),
        )
        for index in np.flatnonzero(counts).tolist()
    ]


def _root(slope: Callable[[float], float]) -> float:
    """1 / b where the rising function of b crosses 0, else the nearer end of the range."""
    low, high = np.log(1 / HIGHEST), np.log(1 / LOWEST)
    if slope(np.exp(low)) >= 0:
        return HIGHEST
    if slope(np.exp(high)) <= 0:
        return LOWEST
    for _ in range(STEPS):
        middle = 0.5 * (low + high)
        low, high = (low, middle) if slope(np.exp(middle)) > 0 else (middle, high)
    return float(np.exp(-0.5 * (low + high)))
