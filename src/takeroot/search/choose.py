"""Which candidate wins: the best on rows it has not seen, the cheaper one where that is a tie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from takeroot.evaluate import Evaluation, compare
from takeroot.search.decide import (
    Decision,
    answers_of,
    calibrate,
    draft_spec,
    evaluation_of,
    gold_of,
)
from takeroot.search.work import Judged, Work
from takeroot.train.outputs import select

SURE = 0.8  # share of bootstrap resamples in which the dearer candidate must be ahead


@dataclass(frozen=True)
class Candidate:
    """A method with its held-out answers; candidates are listed from the cheapest on.

    Args:
        method: ``tfidf``, ``probe`` or ``full``.
        seconds: What it took.
        judged: Its outputs on rows it has not seen.
        decision: Its calibration.
        evaluation: How good it is on these rows.
    """

    method: str
    seconds: float
    judged: Judged
    decision: Decision
    evaluation: Evaluation

    @property
    def score(self) -> float:
        """The task's metric."""
        return self.evaluation.score


def candidate(work: Work, method: str, seconds: float, judged: Judged) -> Candidate:
    """Calibrate and evaluate a method's held-out outputs."""
    decision = calibrate(work.task, judged.outputs, gold_of(work, judged.rows))
    evaluation = evaluation_of(work, judged, draft_spec(work, decision), {})
    return Candidate(method, seconds, judged, decision, evaluation)


def choose(work: Work, candidates: Sequence[Candidate]) -> Candidate:
    """The winner: each dearer candidate must be ahead of the best cheaper one with some certainty.

    Candidates judged on different rows are compared on those both have.
    """
    best = candidates[0]
    for challenger in candidates[1:]:
        chance = chance_of_being_better(work, best, challenger)
        verdict = "is chosen over" if chance >= SURE else "is not surely better than"
        work.progress.note(
            f"{challenger.method} ({challenger.score:.4f}) {verdict} {best.method} "
            f"({best.score:.4f}): ahead in {chance:.0%} of bootstrap resamples"
        )
        if chance >= SURE:
            best = challenger
    return best


def chance_of_being_better(work: Work, first: Candidate, second: Candidate) -> float:
    """Share of paired bootstrap resamples in which the second candidate is ahead."""
    common = np.intersect1d(first.judged.rows, second.judged.rows)
    rows = work.pick(common)
    answers = []
    for each in (first, second):
        places = np.searchsorted(each.judged.rows, common)
        judged = Judged(common, select(each.judged.outputs, places))
        answers.append(answers_of(work, judged, draft_spec(work, each.decision), {}))
    found = compare(
        work.task.name,
        work.task.labels,
        answers[0],
        answers[1],
        [row.label for row in rows],
        [row.input for row in rows],
    )
    return found.differences[found.metric].better
