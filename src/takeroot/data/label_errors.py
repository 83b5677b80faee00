"""Rank rows by how likely their label is wrong: confident learning.

Northcutt, Jiang and Chuang 2019, "Confident Learning: Estimating Uncertainty in Dataset Labels"
(arXiv:1911.00068). A row is counted in the confident joint C[given, j] (equation 1) when j is the
most probable of the classes that reach their own threshold t_j, the mean probability of j over the
rows labelled j (equation 2). Each row of C is scaled to the number of rows with that label
(equation 3); what lies off the diagonal is the estimated number of wrong labels. As many rows are
flagged, the most suspicious first (section 3.2, "prune by class" with one ranking for all classes).

Where we differ: probabilities are first calibrated by one temperature, so that an over- or
underconfident model estimates the same number; rows are ranked by p(given) / t_given, which
compares across classes of different difficulty; a row is flagged only if the model's most probable
class is another one. Cost: a few passes over N x K probabilities.

Shapes: N rows, K classes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from takeroot.errors import DataError
from takeroot.metrics.calibration import fit_temperature, softmax

TINY = 1e-12


@dataclass(frozen=True)
class LabelErrors:
    """What confident learning says of each row.

    Args:
        rows: All row numbers, the most suspicious first (N,).
        scores: Probability of the given label relative to what is usual for that label, in row
            order (N,); near 0: surely wrong, 1: as sure as usual.
        flagged: The rows to look at, the most suspicious first.
        suggested: Most probable class of each row, in row order (N,).
    """

    rows: NDArray[np.int64]
    scores: NDArray[np.float64]
    flagged: NDArray[np.int64]
    suggested: NDArray[np.int64]


def find(probabilities: NDArray[np.floating], labels: NDArray[np.integer]) -> LabelErrors:
    """Rows whose label seems wrong.

    Args:
        probabilities: Out-of-fold probabilities (N, K): each row's from a model that has seen
            neither it nor its duplicates.
        labels: Given class of each row (N,), in [0, K).

    Raises:
        DataError: If the shapes do not fit, a probability is not in [0, 1], or there are no rows.
    """
    p = np.asarray(probabilities, dtype=np.float64)
    given = np.asarray(labels, dtype=np.int64)
    _check(p, given)
    logits = np.log(np.maximum(p, TINY))
    p = softmax(logits / fit_temperature(logits, given))
    own = p[np.arange(len(given)), given]
    counts = np.bincount(given, minlength=p.shape[1])
    sums = np.bincount(given, weights=own, minlength=p.shape[1])
    thresholds = np.where(counts > 0, sums / np.maximum(counts, 1), np.inf)
    scores = own / thresholds[given]
    suggested = p.argmax(axis=1)
    rows = np.argsort(scores, kind="stable")
    wanted = _wrong_labels(p, given, thresholds, counts)
    flagged = rows[suggested[rows] != given[rows]][:wanted]
    return LabelErrors(rows, scores, flagged, suggested)


def _wrong_labels(
    p: NDArray[np.float64],
    given: NDArray[np.int64],
    thresholds: NDArray[np.float64],
    counts: NDArray[np.int64],
) -> int:
    """Estimated number of wrong labels: the off-diagonal sum of the calibrated confident joint."""
    confident = np.where(p >= thresholds - TINY, p, -1.0)  # a mean of equals may round upwards
    sure = confident.max(axis=1) >= 0
    joint = np.zeros((p.shape[1], p.shape[1]))
    np.add.at(joint, (given[sure], confident[sure].argmax(axis=1)), 1.0)
    joint *= (counts / np.maximum(joint.sum(axis=1), 1.0))[:, None]
    return round(float(joint.sum() - np.trace(joint)))


def _check(p: NDArray[np.float64], given: NDArray[np.int64]) -> None:
    if p.ndim != 2 or given.shape != p.shape[:1] or not len(given):
        raise DataError(
            "label errors: need probabilities (rows, classes) and one label a row, "
            f"got shapes {p.shape} and {given.shape}"
        )
    if not ((p >= 0) & (p <= 1 + 1e-6)).all():
        raise DataError("label errors: probabilities must be in [0, 1]")
    if not 0 <= given.min() <= given.max() < p.shape[1]:
        raise DataError(f"label errors: labels must be in [0, {p.shape[1]})")
