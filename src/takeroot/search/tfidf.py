"""The cheapest candidate: TF-IDF over words and characters, and logistic regression.

It needs no pretrained model, reads every language, and is what any network has to beat.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from takeroot.bundle import Outputs
from takeroot.bundle.features import NgramFeatures
from takeroot.bundle.text import joined
from takeroot.data import Example
from takeroot.search.work import Judged, Part, Work, gather, side_by_side
from takeroot.tasks import Task
from takeroot.train.logistic import Linear, one_hot, solve

FEATURES = 20_000  # n-grams of each block; more cost memory and time and gained nothing measured
C = 30.0
STEPS = 20  # more moved no held-out figure
NORMALISATION = "nfkc"
EXCLUSIVE = ("classify", "pair")  # tasks whose labels exclude each other


@dataclass(frozen=True)
class TfidfModel:
    """What the linear runtime of a bundle computes."""

    features: NgramFeatures
    linear: Linear

    def outputs(self, examples: Sequence[Example]) -> Outputs:
        """Logits of the examples."""
        return Outputs(self.linear.logits(sparse(self.features, examples)))


def fit(task: Task, examples: Sequence[Example], weights: np.ndarray | None = None) -> TfidfModel:
    """The model of some rows.

    Args:
        task: Gives targets.
        examples: Training rows.
        weights: Of each row, or None.
    """
    texts = joined([example.input for example in examples], NORMALISATION)
    found = NgramFeatures.fit(texts, FEATURES, min_texts=2 if len(texts) > 1000 else 1)
    matrix = sparse(found, examples)
    targets = target_matrix(task, examples)
    exclusive = task.name in EXCLUSIVE
    linear = solve(matrix, targets, C, exclusive=exclusive, row_weights=weights, max_steps=STEPS)
    # Served in half precision: rounding here as well makes both agree.
    return TfidfModel(
        found, Linear(linear.weights.astype(np.float16).astype(np.float32), linear.intercept)
    )


def judge(work: Work) -> Judged:
    """Fit and judge on every part."""

    def outputs(part: Part) -> Outputs:
        train = work.pick(part.train)
        return fit(work.task, train, row_weights(work, train)).outputs(work.pick(part.judge))

    def report(done: int) -> None:
        work.progress.step("TF-IDF", done, len(work.parts), {})

    return gather(work.parts, side_by_side(outputs, work.parts, report))


def sparse(features: NgramFeatures, examples: Sequence[Example]) -> Any:
    """TF-IDF weights (N, F) as a scipy matrix."""
    found = features.transform(joined([example.input for example in examples], NORMALISATION))
    return csr_matrix((found.data, found.indices, found.indptr), shape=found.shape)


def target_matrix(task: Task, examples: Sequence[Example]) -> np.ndarray:
    """Targets (N, K) of 0 and 1."""
    targets = np.array(task.targets(examples))
    return one_hot(targets, len(task.labels)) if targets.ndim == 1 else targets


def row_weights(work: Work, examples: Sequence[Example]) -> np.ndarray | None:
    """Weights that give every class the same say, where the recipe asks for it."""
    if work.recipe.fit.class_weights == "none" or work.task.name in ("multilabel", "tag"):
        return None
    targets = np.array(work.task.targets(examples))
    counts = np.bincount(targets, minlength=len(work.task.labels))
    return np.asarray(len(targets) / (np.count_nonzero(counts) * counts[targets]), np.float32)
