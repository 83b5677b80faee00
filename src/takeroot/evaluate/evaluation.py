"""What an evaluation found: a value that fits into a bundle and onto a page.

Everything that grows with the data is cut: at most 20 confusions with 3 shortened texts each, 30
points of the risk–coverage curve, 15 bins of confidence.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from takeroot.evaluate.sheet import Mistake, Sheet
from takeroot.metrics.calibration import Bin
from takeroot.metrics.selective import risk_coverage

MOST_CONFUSIONS = 20
MOST_TEXTS = 3
MOST_POINTS = 30
MOST_CHARACTERS = 200
DIGITS = 6  # a score of a million rows is not known more exactly


@dataclass(frozen=True)
class ClassScore:
    """How one label fares.

    Args:
        label: Its name.
        precision: Share of its predictions that are right.
        recall: Share of its gold items that were found.
        f1: Their harmonic mean.
        support: Gold items.
        predicted: Predictions.
    """

    label: str
    precision: float
    recall: float
    f1: float
    support: int
    predicted: int


@dataclass(frozen=True)
class Confusion:
    """One way of being wrong.

    Args:
        gold: What it should have been, None where nothing should have been given.
        predicted: What was given, None where nothing was.
        count: How often.
        texts: Where the model was surest of it, at most three.
    """

    gold: str | None
    predicted: str | None
    count: int
    texts: tuple[str, ...]


@dataclass(frozen=True)
class Point:
    """Answering the surest ``coverage`` of rows, those from ``confidence`` on, errs in ``risk``."""

    coverage: float
    risk: float
    confidence: float


@dataclass(frozen=True)
class Evaluation:
    """How well answers agree with the truth.

    Args:
        task: The task's name.
        metric: Name of the score that sums it up.
        n: Rows.
        scores: By name; counts among them are whole numbers.
        intervals: 95 % bootstrap intervals of those scores that have one.
        per_class: Every label, in the model's order.
        confusions: Most frequent first.
        reliability: Confidence against truth, lowest confidence first.
        risk_coverage: From few rows answered to all.
    """

    task: str
    metric: str
    n: int
    scores: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    per_class: tuple[ClassScore, ...]
    confusions: tuple[Confusion, ...]
    reliability: tuple[Bin, ...]
    risk_coverage: tuple[Point, ...]

    @property
    def score(self) -> float:
        """The score that sums it up."""
        return self.scores[self.metric]

    def to_json(self) -> dict[str, Any]:
        """The evaluation as JSON values, scores at the top level."""
        body: dict[str, Any] = {"task": self.task, "metric": self.metric, "n": self.n}
        body.update(self.scores)
        body["intervals"] = {name: list(ends) for name, ends in self.intervals.items()}
        for name in ("per_class", "confusions", "reliability", "risk_coverage"):
            body[name] = [asdict(part) for part in getattr(self, name)]
        rounded: dict[str, Any] = _rounded(body)
        return rounded


def class_scores(labels: Sequence[str], sheet: Sheet) -> tuple[ClassScore, ...]:
    """The table of labels."""
    counts = sheet.counts
    columns = (counts.precision, counts.recall, counts.f1, counts.gold, counts.predicted)
    rows = zip(labels, *(column.tolist() for column in columns), strict=True)
    return tuple(ClassScore(*row) for row in rows)


def confusions(mistakes: Sequence[Mistake], texts: Sequence[str]) -> tuple[Confusion, ...]:
    """The commonest kinds of mistakes with the texts the model was surest about."""
    kinds: dict[tuple[str | None, str | None], list[Mistake]] = defaultdict(list)
    for mistake in mistakes:
        kinds[mistake.gold, mistake.predicted].append(mistake)
    order = sorted(kinds, key=lambda kind: (-len(kinds[kind]), str(kind)))
    found = []
    for gold, predicted in order[:MOST_CONFUSIONS]:
        each = sorted(kinds[gold, predicted], key=lambda mistake: -mistake.confidence)
        shown = dict.fromkeys(shorten(one.excerpt or texts[one.row]) for one in each)
        found.append(Confusion(gold, predicted, len(each), tuple(shown)[:MOST_TEXTS]))
    return tuple(found)


def curve_points(confidence: np.ndarray, correct: np.ndarray) -> tuple[Point, ...]:
    """Evenly spread points of the risk–coverage curve, its end among them."""
    curve = risk_coverage(confidence, correct)
    count = min(MOST_POINTS, len(confidence))
    places = np.unique(np.linspace(0, len(confidence) - 1, count + 1)[1:].round().astype(int))
    columns = (curve.coverage[places], curve.risk[places], curve.confidence[places])
    return tuple(Point(*row) for row in zip(*(part.tolist() for part in columns), strict=True))


def shorten(text: str) -> str:
    """The text on one line, cut where it would not be read on."""
    line = " ".join(text.split())
    return line if len(line) <= MOST_CHARACTERS else line[: MOST_CHARACTERS - 1] + "…"


def _rounded(value: Any) -> Any:
    """The JSON value with its floats cut to digits that mean something."""
    if isinstance(value, float):
        return round(value, DIGITS)
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(each) for each in value]
    return value
