"""Any number of labels a row.

A row is right as a whole only if every label is; scores by label are over all labels. A mistake
pairs each label that was missed with each that was given instead, and stands alone where there is
no such pair.

Shapes: N rows, C distinct rows, B weightings, K labels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np

from takeroot.bundle.answer import Answer
from takeroot.evaluate.sheet import Mistake, Sheet
from takeroot.metrics.counts import Counts, ratio
from takeroot.metrics.multilabel import hamming_loss, label_counts, samples_f1


def multilabel_sheet(
    labels: Sequence[str], answers: Sequence[Answer], gold: Sequence[Sequence[str]]
) -> Sheet:
    """The sheet of multi-label answers; every gold label must be one of ``labels``."""
    truth = _table(labels, gold)
    given = _table(labels, [answer.labels for answer in answers])
    abstained = np.array([answer.abstained for answer in answers])
    probabilities = np.array(
        [[answer.probabilities.get(label, 0.0) for label in labels] for answer in answers]
    ).reshape(truth.shape)
    return Sheet(
        metric="macro_f1",
        rows=np.column_stack([truth, given, abstained]).astype(np.int64),
        score=_score,
        counts=label_counts(truth, given),
        confidence=np.array([answer.confidence for answer in answers]),
        correct=(truth == given).all(axis=1),
        abstained=abstained,
        decision_confidence=probabilities.ravel(),
        decision_correct=truth.ravel(),
        mistakes=tuple(_mistakes(answers, gold)),
        extras={
            "hamming_loss": hamming_loss(truth, given),
            "samples_f1": samples_f1(truth, given),
        },
    )


def _table(labels: Sequence[str], rows: Sequence[Sequence[str]]) -> np.ndarray:
    """Which row has which label: booleans (N, K)."""
    index = {label: position for position, label in enumerate(labels)}
    table = np.zeros((len(rows), len(labels)), bool)
    for row, names in enumerate(rows):
        table[row, [index[name] for name in names]] = True
    return table


def _score(rows: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
    """The scores by name."""
    labels = (rows.shape[1] - 1) // 2
    truth, given, answered = rows[:, :labels], rows[:, labels:-1], rows[:, -1] == 0
    counts = Counts(weights @ (truth & given), weights @ given, weights @ truth)
    right, total = (truth == given).all(axis=1), weights.sum(axis=1)
    micro = counts.micro
    return {
        "macro_f1": counts.f1.mean(axis=1),
        "micro_f1": micro.f1[:, 0],
        "micro_precision": micro.precision[:, 0],
        "micro_recall": micro.recall[:, 0],
        "macro_precision": counts.precision.mean(axis=1),
        "macro_recall": counts.recall.mean(axis=1),
        "subset_accuracy": ratio(weights @ right, total),
        "coverage": ratio(weights @ answered, total),
        "selective_accuracy": ratio(weights @ (right & answered), weights @ answered),
    }


def _mistakes(answers: Sequence[Answer], gold: Sequence[Sequence[str]]) -> Iterator[Mistake]:
    """What each row missed, what it was given wrongly, and which for which."""
    for row, (answer, wanted) in enumerate(zip(answers, gold, strict=True)):
        missed = [label for label in wanted if label not in answer.labels]
        extra = [label for label in answer.labels if label not in wanted]
        for lost, found in product(missed or (None,), extra or (None,)):
            if lost or found:
                sure = answer.probabilities.get(found, 0.0) if found else answer.confidence
                yield Mistake(row, lost, found, sure)
