"""Texts a row: what was written, beside what should have been."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from takeroot.bundle.answer import Answer
from takeroot.bundle.decode import CUT_REASON
from takeroot.errors import DataError
from takeroot.evaluate.evaluation import Evaluation
from takeroot.evaluate.sheet import Sheet, measure
from takeroot.metrics.counts import Counts
from takeroot.metrics.text import text_rows, text_scores

METRIC = "rouge_l"


def generate_sheet(answers: Sequence[Answer], gold: Sequence[str]) -> Sheet:
    """The sheet of written texts: nothing is right or wrong but what is word for word the same.

    Args:
        answers: One a row.
        gold: The text that should have been written.
    """
    rows = text_rows([answer.text or "" for answer in answers], gold)
    none = np.zeros(0)
    return Sheet(
        metric=METRIC,
        rows=rows,
        score=text_scores,
        counts=Counts(none, none, none),
        confidence=np.array([answer.confidence for answer in answers]),
        correct=rows[:, 0] > 0,
        abstained=np.array([answer.abstained for answer in answers]),
        decision_confidence=none,
        decision_correct=none,
        mistakes=(),
        extras={
            "tokens_mean": float(np.mean([answer.tokens for answer in answers])),
            "cut": sum(answer.reason == CUT_REASON for answer in answers),
            "empty": sum(not (answer.text or "").strip() for answer in answers),
        },
    )


def evaluate_texts(
    task: str,
    answers: Sequence[Answer],
    gold: Sequence[str | None],
    *,
    sources: Sequence[str] | None = None,
) -> Evaluation:
    """Score written texts against references: ROUGE, BLEU, chrF and exact match, with intervals.

    Args:
        task: ``generate`` or ``seq2seq``.
        answers: The model's answer to each row.
        gold: The text that should have been written.
        sources: Where each row came from, for messages.

    Raises:
        DataError: If there is no row, or a row has no reference.
    """
    sheet = generate_sheet(answers, checked(gold, sources))
    measured = measure(sheet)
    return Evaluation(
        task=task,
        metric=sheet.metric,
        n=len(answers),
        scores={**measured.scores, **sheet.extras},
        intervals=measured.intervals,
        per_class=(),
        confusions=(),
        reliability=(),
        risk_coverage=(),
    )


def checked(gold: Sequence[str | None], sources: Sequence[str] | None = None) -> list[str]:
    """The references, of which each row has one.

    Raises:
        DataError: If one is missing, or there is no row.
    """
    if not gold:
        raise DataError("nothing to evaluate: there is no row")
    for row, text in enumerate(gold):
        if text is None:
            where = sources[row] if sources else f"row {row + 1}"
            raise DataError(f"{where}: the row has no reference; evaluation needs one in every row")
    return [text or "" for text in gold]
