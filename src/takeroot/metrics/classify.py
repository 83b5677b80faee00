"""Scores of one label a row, from label indices.

Macro averages are taken over the classes that occur in truth or prediction, as scikit-learn does
by default: a class of the model that the test rows never touch says nothing about it.

Shapes: N rows, K classes.
"""

from __future__ import annotations

import numpy as np

from takeroot.metrics.counts import Counts, mean_over_seen, ratio


def accuracy(gold: np.ndarray, predicted: np.ndarray) -> float:
    """Share of rows (N,) whose label is right; labels may be indices or names."""
    return float(np.mean(np.asarray(gold) == np.asarray(predicted)))


def confusion(gold: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """How often each gold class (row) was predicted as each class (column): counts (K, K)."""
    cells = np.asarray(gold) * classes + np.asarray(predicted)
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes)


def class_counts(gold: np.ndarray, predicted: np.ndarray, classes: int) -> Counts:
    """Hits, predictions and gold rows of each class (K,), without building the (K, K) matrix."""
    gold, predicted = np.asarray(gold), np.asarray(predicted)
    hits = np.bincount(gold[gold == predicted], minlength=classes)
    return Counts(
        hits, np.bincount(predicted, minlength=classes), np.bincount(gold, minlength=classes)
    )


def macro_f1(gold: np.ndarray, predicted: np.ndarray, classes: int) -> float:
    """Mean F1 of the classes that occur."""
    counts = class_counts(gold, predicted, classes)
    return float(mean_over_seen(counts.f1, counts.seen))


def balanced_accuracy(gold: np.ndarray, predicted: np.ndarray, classes: int) -> float:
    """Mean recall of the classes that occur in the truth."""
    counts = class_counts(gold, predicted, classes)
    return float(mean_over_seen(counts.recall, counts.gold > 0))


def majority_accuracy(gold: np.ndarray) -> float:
    """Accuracy of always answering the commonest gold class: what any model has to beat."""
    gold = np.asarray(gold)
    return float(ratio(np.bincount(gold).max(initial=0), np.array(len(gold))))
