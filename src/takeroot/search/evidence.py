"""What a fit has measured, by the names the report and the bundle's evidence folder use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from takeroot.bundle.abstain import prepare
from takeroot.bundle.naming import bundle_name
from takeroot.export import Artifact
from takeroot.machine import environment
from takeroot.search.abstention import Rule
from takeroot.search.choose import Candidate
from takeroot.search.decide import answers_of, draft_spec, evaluation_of
from takeroot.search.finetune import Tuned
from takeroot.search.material import Material, report_of
from takeroot.search.tfidf import TfidfModel
from takeroot.search.work import Work


@dataclass(frozen=True)
class Made:
    """The winner, ready to be packed.

    Args:
        best: How it was judged.
        model: The model, trained on ``train``.
        train: Numbers of its training rows.
        rule: When it abstains.
        held_out: Whether it was judged on rows it had not seen.
        nli: What a bundle was asked about the texts without labels, where one was.
    """

    best: Candidate
    model: TfidfModel | Tuned
    train: np.ndarray
    rule: Rule
    held_out: bool = True
    nli: dict[str, Any] | None = None


def evidence_of(
    work: Work,
    found: Material,
    candidates: Sequence[Candidate],
    made: Made,
    artifact: Artifact | None,
    curve: dict[str, Any] | None,
) -> dict[str, Any]:
    """Everything that was measured, by the names the report knows."""
    best = made.best
    runtime = "onnx" if isinstance(made.model, Tuned) else "linear"
    spec = draft_spec(work, best.decision, runtime=runtime, abstention=made.rule.abstention)
    reference = made.rule.reference
    if made.rule.abstention is not None:
        reference = prepare(made.rule.abstention.method, reference)
    valid = evaluation_of(work, best.judged, spec, reference)
    tokenizer = work.pretrained.tokenizer if work.pretrained is not None else None
    evidence: dict[str, Any] = {
        "metrics": {"valid": valid.to_json() if made.held_out else None},
        "fit": {
            "name": bundle_name(work.recipe.output.name, found.train.name),
            "task": work.task.name,
            "method": best.method,
            "model": work.recipe.model if best.method != "tfidf" else None,
            "preset": work.recipe.fit.preset,
            "rows_train": len(made.train),
            "rows_valid": len(best.judged.rows) if made.held_out else 0,
            "rows_test": len(found.test.examples) if found.test is not None else 0,
            "rows_unlabelled": len(work.unlabelled),
            "also": [each.to_json() for each in work.also],
            "nli": made.nli,
            "labels": len(work.task.labels),
            "cross_validated": work.few,
            "notes": [*found.columns.notes, *_asked(made), *_events(made)],
        },
        "candidates": [_candidate(each, best) for each in candidates],
        "calibration": best.decision.evidence,
        "abstention": made.rule.evidence,
        "data": report_of(found, tokenizer, work.max_tokens, _out_of_fold(work, best)).to_json(),
        "recipe": work.recipe.model_dump(mode="json"),
        "environment": environment(),
    }
    if curve is not None:
        evidence["learning_curve"] = curve
    if artifact is not None:
        evidence["parity"] = artifact.evidence
    if isinstance(made.model, Tuned) and made.model.history.epochs:
        evidence["progress"] = asdict(made.model.history)
    return evidence


def _asked(made: Made) -> list[str]:
    """About how many texts a bundle was asked, where one was."""
    if made.nli is None:
        return []
    count, every = made.nli["texts"], made.nli["texts_in_all"]
    return [f"{made.nli['bundle']} was asked about {count:,} of {every:,} texts"]


def _events(made: Made) -> list[str]:
    """What was out of the ordinary in the training, a line each."""
    if not isinstance(made.model, Tuned):
        return []
    events = made.model.history.events
    return [f"training, step {each['step']}: {each['event']}" for each in events]


def _out_of_fold(work: Work, best: Candidate) -> np.ndarray | None:
    """Out-of-fold probabilities of all rows, where the candidates were cross-validated."""
    if len(best.judged.rows) < work.own or work.task.name not in ("classify", "pair"):
        return None
    spec = draft_spec(work, best.decision)
    answers = answers_of(work, best.judged, spec, {})
    return np.array([list(answer.probabilities.values()) for answer in answers])


def _candidate(each: Candidate, best: Candidate) -> dict[str, Any]:
    """A candidate as the report lists it."""
    evaluation = each.evaluation.to_json()
    metric = each.evaluation.metric
    return {
        "method": each.method,
        "seconds": round(each.seconds, 1),
        "metric": metric,
        "valid": each.score,
        "interval": evaluation["intervals"][metric],
        "chosen": each is best,
    }
