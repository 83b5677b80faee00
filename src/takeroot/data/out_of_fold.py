"""Probabilities for every row from models that have not seen it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from takeroot.data.dataset import label_names
from takeroot.data.example import Example
from takeroot.data.split import folds
from takeroot.errors import DataError

Predict = Callable[
    [Sequence[Example], Sequence[Example], tuple[str, ...]],
    NDArray[np.floating],
]


def out_of_fold(
    examples: Sequence[Example], predict: Predict, *, count: int = 5, seed: int = 0
) -> NDArray[np.float64]:
    """Probabilities (N, K) of the labels in ``label_names`` order.

    Args:
        examples: N labelled rows.
        predict: Given training rows, other rows and the K label names, trains on the first and
            returns probabilities (n, K) for the second. It must cope with labels no training row
            has.
        count: Number of folds.
        seed: Of the folds.

    Raises:
        DataError: If ``predict`` returns another shape.
    """
    labels = label_names(examples)
    fold_of = folds(examples, count, seed)
    probabilities = np.zeros((len(examples), len(labels)))
    for fold in range(count):
        held = np.flatnonzero(fold_of == fold)
        if not len(held):
            continue
        train = [examples[row] for row in np.flatnonzero(fold_of != fold).tolist()]
        given = np.asarray(predict(train, [examples[row] for row in held.tolist()], labels))
        if given.shape != (len(held), len(labels)):
            raise DataError(
                f"out of fold: predict gave shape {given.shape}, not {(len(held), len(labels))}"
            )
        probabilities[held] = given
    return probabilities
