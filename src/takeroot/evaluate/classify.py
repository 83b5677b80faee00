"""One label a row: texts and pairs, with or without rows that no label fits.

Label scores (accuracy, F1, …) are those of the rows whose gold label the model knows, and ignore
abstention; coverage and selective accuracy are those of all rows, so that answering a row that no
label fits is an error.

Shapes: N rows, C distinct rows, B weightings, K labels.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from takeroot.bundle.answer import Answer
from takeroot.evaluate.sheet import Mistake, Score, Sheet
from takeroot.metrics.bootstrap import group_sums
from takeroot.metrics.classify import class_counts, majority_accuracy
from takeroot.metrics.counts import Counts, mean_over_seen, ratio

OUTSIDE = -1  # gold index of a row that no label fits
LEAST = 1e-12  # probability below which a gold label counts as this probable in the log loss


def classify_sheet(
    labels: Sequence[str], answers: Sequence[Answer], gold: Sequence[str], outside: str | None
) -> Sheet:
    """The sheet of single-label answers.

    Args:
        labels: Label names in the model's order.
        answers: One a row.
        gold: Label of each row: one of ``labels``, or ``outside``.
        outside: The gold label of rows that no label fits, or None.
    """
    index = {label: position for position, label in enumerate(labels) if label != outside}
    truth = np.array([index.get(label, OUTSIDE) for label in gold], np.int64)
    named = {label: position for position, label in enumerate(labels)}
    given = np.array([named[answer.label or ""] for answer in answers], np.int64)
    rejected = np.array([answer.abstained or answer.label == outside for answer in answers])
    confidence = np.array([answer.confidence for answer in answers])
    correct, inside = given == truth, truth != OUTSIDE
    return Sheet(
        metric="accuracy",
        rows=np.stack([truth, given, rejected], axis=1),
        score=_score(len(labels), bool((~inside).any())),
        counts=class_counts(truth[inside], given[inside], len(labels)),
        confidence=confidence,
        correct=correct,
        abstained=rejected,
        decision_confidence=confidence[inside],
        decision_correct=correct[inside],
        mistakes=tuple(_mistakes(answers, gold, np.flatnonzero(inside & ~correct))),
        extras=_extras(answers, gold, truth),
    )


def _score(classes: int, scope: bool) -> Score:
    """The scores by name; those of scope only where some row lies outside."""

    def score(rows: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
        truth, given, rejected = rows.T
        inside, right, answered = truth != OUTSIDE, truth == given, rejected == 0

        def total(chosen: np.ndarray) -> np.ndarray:
            return np.asarray(weights[:, chosen].sum(axis=1))

        within, of_inside = weights[:, inside], total(inside)
        counts = Counts(
            group_sums(weights[:, right], truth[right], classes),
            group_sums(within, given[inside], classes),
            group_sums(within, truth[inside], classes),
        )
        accuracy = ratio(total(right), of_inside)
        strict = ratio(total(right & answered), of_inside)
        scores = {
            "accuracy": accuracy,
            "macro_f1": mean_over_seen(counts.f1, counts.seen),
            "micro_f1": accuracy,
            "macro_precision": mean_over_seen(counts.precision, counts.seen),
            "macro_recall": mean_over_seen(counts.recall, counts.seen),
            "balanced_accuracy": mean_over_seen(counts.recall, counts.gold > 0),
            "accuracy_abstained_wrong": strict,
            "coverage": ratio(total(answered), weights.sum(axis=1)),
            "selective_accuracy": ratio(total(right & answered), total(answered)),
        }
        if scope:
            scores["in_scope_accuracy"] = strict
            scores["in_scope_rejected"] = ratio(total(inside & ~answered), of_inside)
            scores["out_of_scope_recall"] = ratio(total(~inside & ~answered), total(~inside))
        return scores

    return score


def _mistakes(answers: Sequence[Answer], gold: Sequence[str], wrong: np.ndarray) -> list[Mistake]:
    """The rows answered wrongly."""
    return [
        Mistake(row, gold[row], answers[row].label, answers[row].confidence)
        for row in wrong.tolist()
    ]


def _extras(answers: Sequence[Answer], gold: Sequence[str], truth: np.ndarray) -> dict[str, float]:
    """The baseline to beat, and the log loss where answers carry probabilities."""
    inside = np.flatnonzero(truth != OUTSIDE).tolist()
    extras = {"majority_accuracy": majority_accuracy(truth[inside])}
    if inside and all(answers[row].probabilities for row in inside):
        found = [answers[row].probabilities.get(gold[row], 0.0) for row in inside]
        extras["log_loss"] = float(-np.log(np.maximum(found, LEAST)).mean())
    return extras
