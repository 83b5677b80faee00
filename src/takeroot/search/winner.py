"""The winner of the search: trained on all its rows, and told when to abstain."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from takeroot.search import abstention, finetune, tfidf
from takeroot.search import probe as probes
from takeroot.search.abstention import Rule
from takeroot.search.choose import Candidate
from takeroot.search.evidence import Made
from takeroot.search.finetune import Tuned
from takeroot.search.probe import Probe
from takeroot.search.tfidf import TfidfModel
from takeroot.search.work import EXPORT_S, Part, Work
from takeroot.train import History
from takeroot.train import precision as precisions
from takeroot.train.outputs import select


@dataclass
class Tried:
    """The candidates so far, and what of their work the winner needs again."""

    candidates: list[Candidate]
    probe: Probe | None = None
    tuned: Tuned | None = None


def train_winner(work: Work, tried: Tried, best: Candidate) -> Made:
    """The winner, trained on all its rows, with calibration and the rule for abstaining."""
    every = Part(np.arange(len(work.rows)), np.arange(len(work.rows)))
    train = every.train
    model: TfidfModel | Tuned
    if best.method == "tfidf":
        model = tfidf.fit(work.task, work.rows, tfidf.row_weights(work, work.rows))
    elif best.method == "probe":
        assert tried.probe is not None and work.pretrained is not None
        network = probes.build(work.pretrained, work.task)
        probes.put_head(network, probes.solve_head(work, tried.probe, train))
        model = Tuned(network, History())
    else:
        assert tried.tuned is not None
        if retrained(work):
            model = _refit(work, tried, every)
        else:
            model, train = tried.tuned, work.parts[0].train
    rule = _rule(work, tried, best, model, train)
    return Made(best, model, train, rule)


def retrained(work: Work) -> bool:
    """Whether a network is trained again on all rows: where rows are few, or time is given."""
    return work.few or work.recipe.fit.preset == "best"


def _refit(work: Work, tried: Tried, every: Part) -> Tuned:
    """Fine-tune once more, on all rows."""
    dtype = precisions.choose(work.recipe.fit.precision)
    config = finetune.configure(work, dtype, len(every.train))
    config = replace(config, budget_s=work.clock.left(EXPORT_S), patience=None)
    return finetune.fine_tune(work, tried.probe, every, config, "fine-tuning on all rows")


def _rule(
    work: Work, tried: Tried, best: Candidate, model: TfidfModel | Tuned, train: np.ndarray
) -> Rule:
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
        if tried.probe is not None and best.method != "tfidf" and enough:
            compared = abstention.compare_by_leaving_out(work, tried.probe, labels)
            method = max(compared, key=lambda name: compared[name]["auroc"], default=method)
    reference: dict[str, np.ndarray] = {}
    if isinstance(model, Tuned) and method in ("mahalanobis", "knn"):
        hidden = finetune.outputs_of(work, model.model, train).embedding
        assert hidden is not None
        reference = abstention.reference_arrays(method, hidden, labels[train], work.recipe.fit.seed)
    new = abstention.fresh(work.rows, best.judged.rows)
    outputs = select(best.judged.outputs, new)
    return abstention.rule_for(method, outputs, reference, settings.reject_share, compared)
