"""Multinomial and independent logistic regression on dense or sparse features, by L-BFGS.

It minimises, as scikit-learn does, ``C * sum(loss) + |W|^2 / 2`` (the intercept is not penalised).
It exists because the solved head is the start of every other method here and is solved dozens of
times a fit: in float32, with the scale of every feature known beforehand, it takes a fraction of
scikit-learn's time to the same weights (the tests compare them).

Shapes: N rows, F features, K labels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit
from threadpoolctl import threadpool_limits

from takeroot.train.lbfgs import minimise

MAX_STEPS = 100
TOLERANCE = 1e-6  # smallest fall of the loss a step that is worth another
UNDERFLOW = 50.0  # exp(-50) is as good as 0, but no denormal number, with which CPUs are slow


@dataclass(frozen=True)
class Linear:
    """A solved head: logits are ``features @ weights + intercept``.

    Args:
        weights: (F, K) float32.
        intercept: (K,) float32.
    """

    weights: np.ndarray
    intercept: np.ndarray

    def logits(self, features: Any) -> np.ndarray:
        """Logits (N, K) of features (N, F), dense or scipy-sparse."""
        return np.asarray(features @ self.weights + self.intercept, np.float32)


def solve(
    features: Any,
    targets: np.ndarray,
    c: float,
    *,
    exclusive: bool | None = None,
    row_weights: np.ndarray | None = None,
    max_steps: int = MAX_STEPS,
) -> Linear:
    """The weights that minimise the penalised loss.

    Args:
        features: (N, F) float32, a numpy array or a scipy CSR matrix.
        targets: (N, K) of 0 and 1.
        c: Inverse strength of the penalty, above 0.
        exclusive: Whether a row has exactly one label, fitted by softmax, or any number, fitted by
            K sigmoids; None to tell by the targets.
        row_weights: Weight of each row's loss (N,), or None for 1.
        max_steps: Most L-BFGS steps taken.
    """
    count, width = features.shape[1], targets.shape[1]
    targets = targets.astype(np.float32)
    if exclusive is None:
        exclusive = bool((targets.sum(axis=1) == 1).all()) and width > 1
    losses = _softmax_loss if exclusive else _sigmoid_loss
    weigh = np.ones(len(targets), np.float32) if row_weights is None else row_weights
    weigh = (weigh / len(targets)).astype(np.float32)
    penalty = np.float32(1 / (c * len(targets)))
    transposed = features.T.tocsr() if hasattr(features, "tocsr") else features.T

    def objective(packed: np.ndarray) -> tuple[float, np.ndarray]:
        weights = packed[:-1]
        logits = features @ weights
        logits += packed[-1]
        loss, error = losses(logits, targets)
        error *= weigh[:, None]
        gradient = np.empty_like(packed)
        gradient[:-1] = transposed @ error
        gradient[:-1] += penalty * weights
        gradient[-1] = error.sum(axis=0)
        squared = float(np.vdot(weights, weights))
        return float(np.vdot(loss, weigh)) + 0.5 * float(penalty) * squared, gradient

    first = np.zeros((count + 1, width), np.float32)
    # One BLAS thread: the products are small, and on a busy machine two threads wait for each
    # other thirty times longer than they compute (measured).
    with threadpool_limits(1, "blas"):
        inverse = _inverse_curvature(features, targets, weigh, float(penalty))
        packed = minimise(objective, first, inverse, max_steps=max_steps, tolerance=TOLERANCE)
    return Linear(packed[:-1].copy(), packed[-1].copy())


def _inverse_curvature(
    features: Any, targets: np.ndarray, weigh: np.ndarray, penalty: float
) -> np.ndarray:
    """About 1 / second derivative by each weight and intercept (F + 1, K).

    The loss's second derivative is the mean of ``x^2 p (1 - p)``, and a label's share of the rows
    stands in for the unknown p. Rare n-grams so get long steps and frequent ones short steps.
    """
    squares = features.multiply(features) if hasattr(features, "tocsr") else features * features
    moments = np.append(np.asarray(squares.T @ weigh).ravel(), weigh.sum())
    share = np.asarray(weigh @ targets) / max(float(weigh.sum()), 1e-30)
    spread = np.maximum(share * (1 - share), 1 / len(targets))
    curvature = np.outer(moments, spread) + penalty
    return np.asarray(1 / curvature, np.float32)


def one_hot(targets: np.ndarray, width: int) -> np.ndarray:
    """Label indices (N,) as rows of 0 and 1 (N, K)."""
    return np.asarray(np.eye(width, dtype=np.float32)[targets])


def _softmax_loss(logits: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cross-entropy of each row (N,) and its derivative by the logits (N, K)."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    exponents = np.exp(np.maximum(shifted, -UNDERFLOW))
    total = exponents.sum(axis=1, keepdims=True)
    loss = np.log(total[:, 0]) - (shifted * targets).sum(axis=1)
    return loss, exponents / total - targets


def _sigmoid_loss(logits: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Binary cross-entropy summed over labels (N,) and its derivative by the logits (N, K)."""
    loss = np.logaddexp(0, logits) - targets * logits
    return loss.sum(axis=1), expit(np.clip(logits, -UNDERFLOW, UNDERFLOW)) - targets
