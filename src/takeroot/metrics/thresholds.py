"""From which probability on a label is given, for tasks with many labels a row.

For each label the threshold that maximises F1 on held-out rows (the plug-in rule; for calibrated
probabilities it lies at half the best F1: Lipton et al. 2014, arXiv:1402.1892, theorem 1). A label
with few positive rows would get a threshold fitted to noise, so each is drawn towards the one
common threshold with the best macro-F1, with the weight of ``PRIOR`` imagined positive rows:
``logit(t_k) = (n_k logit(best_k) + PRIOR logit(common)) / (n_k + PRIOR)``. The drawing together is
ours, not the paper's.

Shapes: N rows, K labels, G thresholds of the common grid. Cost: a sort a label.
"""

from __future__ import annotations

import numpy as np

from takeroot.metrics.counts import ratio

PRIOR = 20.0  # positive rows the common threshold counts for
GRID = np.arange(1, 100) / 100
EDGE = 1e-4  # thresholds stay this far from 0 and 1


def fit_thresholds(
    probabilities: np.ndarray, gold: np.ndarray, *, prior: float = PRIOR
) -> np.ndarray:
    """Thresholds (K,), to be used as ``probability >= threshold``.

    Args:
        probabilities: Held-out, calibrated probabilities (N, K).
        gold: 0/1 targets (N, K).
        prior: How strongly rare labels are drawn to the common threshold; 0 fits each alone.
    """
    probabilities, gold = np.asarray(probabilities, np.float64), np.asarray(gold, bool)
    common = common_threshold(probabilities, gold)
    positives = gold.sum(axis=0)
    own = np.array(
        [
            _best(probabilities[:, label], gold[:, label]) if positives[label] else common
            for label in range(gold.shape[1])
        ]
    )
    weight = ratio(positives, positives + prior) if prior else np.ones(len(own))
    mixed = weight * _logit(own) + (1 - weight) * _logit(common)
    return np.asarray(np.clip(1 / (1 + np.exp(-mixed)), EDGE, 1 - EDGE))


def common_threshold(probabilities: np.ndarray, gold: np.ndarray) -> float:
    """The one threshold, of 0.01 to 0.99, with the best macro-F1 over all labels.

    Of a run of equally good ones it is the middle; without a row it is 0.5.
    """
    if len(gold) == 0:
        return 0.5
    scores = np.empty(len(GRID))
    for index, threshold in enumerate(GRID):
        given = probabilities >= threshold
        hits = (given & gold).sum(axis=0)
        scores[index] = ratio(2 * hits, given.sum(axis=0) + gold.sum(axis=0)).mean()
    best = np.flatnonzero(scores >= scores.max() - 1e-12)
    return float(GRID[best[len(best) // 2]])


def _best(probabilities: np.ndarray, gold: np.ndarray) -> float:
    """The threshold half-way between the two neighbouring rows where F1 is greatest."""
    order = np.argsort(-probabilities, kind="stable")
    falling = probabilities[order]
    taken = np.arange(1, len(falling) + 1)
    f1 = 2 * np.cumsum(gold[order]) / (taken + gold.sum())
    last = np.append(falling[1:] < falling[:-1], True)  # a cut cannot part equal probabilities
    cut = int(np.argmax(np.where(last, f1, -1.0)))
    below = falling[cut + 1] if cut + 1 < len(falling) else 0.0
    return float((falling[cut] + below) / 2)


def _logit(probability: np.ndarray | float) -> np.ndarray:
    """``log(p / (1 - p))``, with p kept off 0 and 1."""
    kept = np.clip(probability, EDGE, 1 - EDGE)
    return np.asarray(np.log(kept / (1 - kept)))
