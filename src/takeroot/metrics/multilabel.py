"""Scores of any number of labels a row, from 0/1 tables.

Averages are over all K labels, also those that never occur (their F1 is 0), as scikit-learn does
for indicator matrices.

Shapes: N rows, K labels.
"""

from __future__ import annotations

import numpy as np

from takeroot.metrics.counts import Counts, ratio


def label_counts(gold: np.ndarray, predicted: np.ndarray) -> Counts:
    """Hits, predictions and gold rows of each label (K,) from 0/1 tables (N, K)."""
    gold, predicted = np.asarray(gold, bool), np.asarray(predicted, bool)
    return Counts((gold & predicted).sum(axis=0), predicted.sum(axis=0), gold.sum(axis=0))


def macro_f1(gold: np.ndarray, predicted: np.ndarray) -> float:
    """Mean F1 of all labels."""
    return float(label_counts(gold, predicted).f1.mean())


def micro_f1(gold: np.ndarray, predicted: np.ndarray) -> float:
    """F1 of all single decisions thrown together."""
    return float(label_counts(gold, predicted).micro.f1[0])


def samples_f1(gold: np.ndarray, predicted: np.ndarray) -> float:
    """Mean over rows of the row's own F1; a row rightly left empty counts 1."""
    gold, predicted = np.asarray(gold, bool), np.asarray(predicted, bool)
    sizes = gold.sum(axis=1) + predicted.sum(axis=1)
    each = ratio(2 * (gold & predicted).sum(axis=1), sizes)
    return float(np.where(sizes == 0, 1.0, each).mean())


def subset_accuracy(gold: np.ndarray, predicted: np.ndarray) -> float:
    """Share of rows with every label right."""
    return float((np.asarray(gold, bool) == np.asarray(predicted, bool)).all(axis=1).mean())


def hamming_loss(gold: np.ndarray, predicted: np.ndarray) -> float:
    """Share of single decisions that are wrong."""
    return float((np.asarray(gold, bool) != np.asarray(predicted, bool)).mean())
