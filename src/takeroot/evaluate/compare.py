"""Two models on the same rows: which is better, by how much, and could it be luck.

Both are scored on the same bootstrap draws, so that hard rows are hard for both (paired bootstrap);
whether one is right more often is also put to McNemar's exact test (``metrics.compare``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from takeroot.bundle.answer import Answer
from takeroot.bundle.spec import WRITING
from takeroot.evaluate.evaluate import Input, sheet_of, text_of
from takeroot.evaluate.evaluation import shorten
from takeroot.evaluate.sheet import Sheet
from takeroot.metrics.bootstrap import kinds_of, resample
from takeroot.metrics.compare import Difference, difference_of, mcnemar

if TYPE_CHECKING:
    from takeroot.data.example import Label

MOST_CHANGED = 10
SURE = 0.05  # p-values below this are called significant


@dataclass(frozen=True)
class Changed:
    """A row that just one of the two has right."""

    text: str
    better: str


@dataclass(frozen=True)
class Comparison:
    """The second model against the first.

    Args:
        metric: Name of the score that sums the task up.
        n: Rows.
        first: Scores of the first by name.
        second: Scores of the second.
        differences: Second minus first, with intervals.
        only_first: Rows that just the first has wholly right; texts, word for word.
        only_second: Rows that just the second has wholly right.
        p_value: McNemar's exact test of those two.
        changed: Some of those rows.
        verdict: What it comes to, in one sentence.
    """

    metric: str
    n: int
    first: dict[str, float]
    second: dict[str, float]
    differences: dict[str, Difference]
    only_first: int
    only_second: int
    p_value: float
    changed: tuple[Changed, ...]
    verdict: str

    def to_json(self) -> dict[str, Any]:
        """The comparison as JSON values."""
        return asdict(self)


def compare(
    task: str,
    labels: Sequence[str],
    first: Sequence[Answer],
    second: Sequence[Answer],
    gold: Sequence[Label],
    inputs: Sequence[Input],
    *,
    out_of_scope_label: str | None = None,
) -> Comparison:
    """Set the second model's answers against the first's.

    Args:
        task: Entry of ``takeroot.bundle.decode.DECODERS``.
        labels: Label names that either model gives, in any order.
        first: The first model's answer to each row.
        second: The second's.
        gold: The truth of each row.
        inputs: The text, or pair of texts, of each row.
        out_of_scope_label: Gold label of rows that no label fits (classify, pair).

    Raises:
        DataError: As ``evaluate``.
    """
    sheets = [
        sheet_of(task, labels, answers, gold, inputs, out_of_scope_label=out_of_scope_label)
        for answers in (first, second)
    ]
    scores, differences = _scores(*sheets)
    only_first = np.flatnonzero(sheets[0].correct & ~sheets[1].correct)
    only_second = np.flatnonzero(sheets[1].correct & ~sheets[0].correct)
    p_value = mcnemar(len(only_first), len(only_second))
    metric = sheets[0].metric
    return Comparison(
        metric=metric,
        n=len(gold),
        first=scores[0],
        second=scores[1],
        differences=differences,
        only_first=len(only_first),
        only_second=len(only_second),
        p_value=p_value,
        changed=(*_changed(only_first, inputs, "first"), *_changed(only_second, inputs, "second")),
        verdict=_verdict(metric, differences[metric], None if task in WRITING else p_value),
    )


def _scores(first: Sheet, second: Sheet) -> tuple[list[dict[str, float]], dict[str, Difference]]:
    """Scores of both, and their differences over the same draws."""
    width = first.rows.shape[1]
    kinds = kinds_of(*first.rows.T, *second.rows.T)
    halves = (first, kinds.values[:, :width]), (second, kinds.values[:, width:])
    once, often = kinds.counts[None].astype(np.float64), resample(kinds.counts)
    found = [
        {name: float(each[0]) for name, each in sheet.score(rows, once).items()}
        for sheet, rows in halves
    ]
    draws = [sheet.score(rows, often) for sheet, rows in halves]
    differences = {
        name: difference_of(found[1][name] - found[0][name], draws[1][name] - draws[0][name])
        for name in found[0]
    }
    return found, differences


def _changed(rows: np.ndarray, inputs: Sequence[Input], better: str) -> list[Changed]:
    """The first few of the rows, as text."""
    return [Changed(shorten(text_of(inputs[row])), better) for row in rows[:MOST_CHANGED].tolist()]


def _verdict(metric: str, gap: Difference, p_value: float | None) -> str:
    """What the figures come to; a test of which texts are word for word right says too little."""
    name = metric.replace("_", " ")
    shown = (
        f"{100 * gap.mean:+.2f} points of {name} ({100 * gap.low:+.2f} to {100 * gap.high:+.2f})"
    )
    if p_value is not None:
        shown += f", McNemar p = {p_value:.3g}"
    if gap.low <= 0 <= gap.high:
        return f"No clear difference: {shown}."
    winner = "second" if gap.mean > 0 else "first"
    sure = p_value is None or p_value < SURE
    caution = "" if sure else "; McNemar's test alone would not call it significant"
    return f"The {winner} model is better: {shown}{caution}."
