"""From answers and gold labels to an evaluation: the one way scores are made.

Training uses it on held-out rows, ``takeroot evaluate`` on a bundle's predictions, and ``compare``
on two of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from takeroot.bundle.answer import Answer
from takeroot.bundle.spec import WRITING
from takeroot.errors import DataError
from takeroot.evaluate.classify import classify_sheet
from takeroot.evaluate.evaluation import (
    Evaluation,
    class_scores,
    confusions,
    curve_points,
)
from takeroot.evaluate.generate import checked, evaluate_texts, generate_sheet
from takeroot.evaluate.multilabel import multilabel_sheet
from takeroot.evaluate.sheet import Sheet, measure
from takeroot.evaluate.tag import tag_sheet
from takeroot.metrics.calibration import ece, reliability
from takeroot.metrics.selective import aurc, auroc

if TYPE_CHECKING:
    from takeroot.data.example import Label

Input = str | tuple[str, str]
MOST_SHOWN = 20  # labels named in an error


def evaluate(  # noqa: PLR0913 - three named options beside the rows
    task: str,
    labels: Sequence[str],
    answers: Sequence[Answer],
    gold: Sequence[Label],
    inputs: Sequence[Input],
    *,
    sources: Sequence[str] | None = None,
    out_of_scope_label: str | None = None,
    scope_scores: Sequence[float] | np.ndarray | None = None,
) -> Evaluation:
    """Score answers against gold labels.

    Args:
        task: Entry of ``takeroot.bundle.decode.DECODERS``.
        labels: The model's label names, in its order; none where it writes texts.
        answers: The model's answer to each row.
        gold: The truth of each row: a label, label names, spans, or the text to write.
        inputs: The text, or pair of texts, of each row.
        sources: Where each row came from, for messages.
        out_of_scope_label: Gold label of rows that no label of the model fits (classify, pair).
        scope_scores: How much each row looks in scope, higher is more; confidence where None.

    Raises:
        DataError: If there is no row, a row has no label, or its label is not one of ``labels``.
    """
    if task in WRITING:
        return evaluate_texts(task, answers, cast(Any, gold), sources=sources)
    sheet = sheet_of(
        task, labels, answers, gold, inputs, sources=sources, out_of_scope_label=out_of_scope_label
    )
    measured = measure(sheet)
    scores = {
        **measured.scores,
        **sheet.extras,
        "ece": ece(sheet.decision_confidence, sheet.decision_correct),
        "aurc": aurc(sheet.confidence, sheet.correct),
        "abstained": int(sheet.abstained.sum()),
    }
    if out_of_scope_label is not None:
        scores |= _scope(sheet, gold, out_of_scope_label, scope_scores)
    return Evaluation(
        task=task,
        metric=sheet.metric,
        n=len(answers),
        scores=scores,
        intervals=measured.intervals,
        per_class=class_scores(labels, sheet),
        confusions=confusions(sheet.mistakes, [text_of(each) for each in inputs]),
        reliability=tuple(reliability(sheet.decision_confidence, sheet.decision_correct)),
        risk_coverage=curve_points(sheet.confidence, sheet.correct),
    )


def sheet_of(
    task: str,
    labels: Sequence[str],
    answers: Sequence[Answer],
    gold: Sequence[Label],
    inputs: Sequence[Input],
    *,
    sources: Sequence[str] | None = None,
    out_of_scope_label: str | None = None,
) -> Sheet:
    """The checked rows as the task's sheet; arguments and errors are those of ``evaluate``."""
    if task in WRITING:
        return generate_sheet(answers, checked(cast(Any, gold), sources))
    allowed = {*labels, out_of_scope_label} if out_of_scope_label is not None else set(labels)
    _check(task, allowed, gold, sources)
    if len(answers) != len(gold) or len(inputs) != len(gold):
        raise DataError(f"{len(answers)} answers and {len(inputs)} inputs for {len(gold)} rows")
    truth = cast(Any, gold)  # its shape is the task's, as just checked
    if task == "multilabel":
        return multilabel_sheet(labels, answers, truth)
    if task == "tag":
        return tag_sheet(labels, answers, truth, [text_of(each) for each in inputs])
    return classify_sheet(labels, answers, truth, out_of_scope_label)


def text_of(row: Input) -> str:
    """The text of a row as it is shown; both texts of a pair."""
    return row if isinstance(row, str) else " ⟷ ".join(row)


def _check(
    task: str, allowed: set[str], gold: Sequence[Label], sources: Sequence[str] | None
) -> None:
    """Refuse rows that cannot be scored, naming the first of them."""
    if not gold:
        raise DataError("nothing to evaluate: there is no labelled row")
    for row, label in enumerate(gold):
        where = sources[row] if sources else f"row {row + 1}"
        if label is None:
            raise DataError(f"{where}: the row has no label; evaluation needs one in every row")
        for name in _names(task, label):
            if name not in allowed:
                raise DataError(f"{where}: label {name!r} is not one of: {_shown(allowed)}")


def _names(task: str, label: Any) -> Iterator[str]:
    """The label names in a gold label."""
    if task == "tag":
        yield from (span.label for span in label)
    elif task == "multilabel":
        yield from label
    else:
        yield label


def _shown(labels: set[str]) -> str:
    """Some of the labels, for a message."""
    first = sorted(labels)[:MOST_SHOWN]
    return ", ".join(first) + (f", … ({len(labels)} in all)" if len(labels) > MOST_SHOWN else "")


def _scope(
    sheet: Sheet,
    gold: Sequence[Label],
    label: str,
    scores: Sequence[float] | np.ndarray | None,
) -> dict[str, float]:
    """How many rows lie outside, and how well a score tells them from the others."""
    outside = np.array([each == label for each in gold])
    found = sheet.confidence if scores is None else np.asarray(scores)
    counts = {"in_scope": int((~outside).sum()), "out_of_scope": int(outside.sum())}
    if not outside.any() or outside.all():
        return dict(counts)
    return {**counts, "out_of_scope_auroc": auroc(found[~outside], found[outside])}
