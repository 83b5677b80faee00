"""Which candidate wins: the best on rows it has not seen, the cheaper one where that is a tie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from takeroot.evaluate import Evaluation, compare
from takeroot.metrics.calibration import log_softmax
from takeroot.metrics.compare import paired_difference
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

NOT_BEHIND = 0.45  # chance by the metric from which log-loss may decide, where rows are few
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

    Where rows are few, one that is not behind by the metric may be ahead by its log-loss. Who names
    texts without labels has a reason to: learning from them is taken unless it is surely worse.
    Candidates judged on different rows are compared on those both have.
    """
    best = candidates[0]
    for challenger in candidates[1:]:
        chance = chance_of_being_better(work, best, challenger)
        reason = f"ahead in {chance:.0%} of bootstrap resamples"
        wins = chance >= SURE
        if not wins and chance >= NOT_BEHIND and _few_labels(work):
            sure = chance_of_less_loss(work, best, challenger)
            wins = sure >= SURE
            reason += f", and by log-loss in {sure:.0%}"
        if challenger.method == "self_training":
            wins = chance >= 1 - SURE
        verdict = "is chosen over" if wins else "is not chosen over"
        work.progress.note(
            f"{challenger.method} ({challenger.score:.4f}) {verdict} {best.method} "
            f"({best.score:.4f}): {reason}"
        )
        if wins:
            best = challenger
    return best


def _few_labels(work: Work) -> bool:
    """Whether each row has one label, and rows are few."""
    return work.few and work.task.name in ("classify", "pair")


def chance_of_less_loss(work: Work, first: Candidate, second: Candidate) -> float:
    """Share of paired bootstrap resamples in which the second's calibrated log-loss is smaller.

    A few hundred rows say little by right or wrong; the probability given to the right label says
    more (it is a proper score: Gneiting and Raftery 2007).
    """
    common = np.intersect1d(first.judged.rows, second.judged.rows)
    gold = gold_of(work, common)
    losses = []
    for each in (first, second):
        places = np.searchsorted(each.judged.rows, common)
        logits = np.asarray(each.judged.outputs.logits)[places] / each.decision.temperature
        losses.append(-log_softmax(logits)[np.arange(len(gold)), gold])
    return paired_difference(losses[1], losses[0]).better


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
