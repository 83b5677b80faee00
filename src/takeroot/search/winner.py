"""The winner of the search: trained on all its rows, and told when to abstain."""

from __future__ import annotations

import numpy as np

from takeroot.search import abstention, finetune
from takeroot.search.abstention import Rule
from takeroot.search.choose import Candidate
from takeroot.search.evidence import Made
from takeroot.search.finetune import Tuned
from takeroot.search.methods import METHODS, Model, Tried
from takeroot.search.work import Work
from takeroot.train.outputs import select


def train_winner(work: Work, tried: Tried, best: Candidate) -> Made:
    """The winner, trained on all its rows, with calibration and the rule for abstaining."""
    model, train = METHODS[best.method].finish(work, tried)
    rule = _rule(work, tried, best, model, train)
    return Made(best, model, train, rule)


def _rule(work: Work, tried: Tried, best: Candidate, model: Model, train: np.ndarray) -> Rule:
    """When the model abstains."""
    settings = work.recipe.abstain
    if settings.method == "none" or work.task.name not in ("classify", "pair"):
        return Rule(None, {}, {})
    labels = np.array(work.task.targets(work.rows))
    method: str = settings.method
    compared: dict[str, dict[str, float]] = {}
    if method == "auto":
        method = abstention.DEFAULT
        enough = len(work.task.labels) >= abstention.FEWEST_LABELS
        if tried.probe is not None and isinstance(model, Tuned) and enough:
            compared = abstention.compare_by_leaving_out(work, tried.probe, labels)
            method = max(compared, key=lambda name: compared[name]["auroc"], default=method)
    reference: dict[str, np.ndarray] = {}
    if isinstance(model, Tuned) and method in ("mahalanobis", "knn"):
        hidden = finetune.outputs_of(work, model.model, train).embedding
        assert hidden is not None
        reference = abstention.reference_arrays(method, hidden, labels[train], work.recipe.fit.seed)
    new = abstention.fresh(work.rows[: work.own], best.judged.rows)
    outputs = select(best.judged.outputs, new)
    return abstention.rule_for(method, outputs, reference, settings.reject_share, compared)
