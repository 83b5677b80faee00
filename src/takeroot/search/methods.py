"""The ways to make a model from labelled rows: one entry each, by the name a recipe uses.

Adding one is a file that judges it on rows it has not seen and trains it on all of its rows, and a
line here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from takeroot.errors import RecipeError
from takeroot.models.adapters import ADAPTERS, Adapter
from takeroot.models.adapters.attach import chosen
from takeroot.recipe import Recipe
from takeroot.search import contrastive, finetune, self_training, tfidf
from takeroot.search import probe as probes
from takeroot.search.choose import Candidate
from takeroot.search.finetune import Tuned
from takeroot.search.probe import Probe
from takeroot.search.self_training import Pool
from takeroot.search.tfidf import TfidfModel
from takeroot.search.work import EXPORT_S, Judged, Part, Work
from takeroot.train import History
from takeroot.train import precision as precisions
from takeroot.train.shard import check_shard

BEST_PARTS = 3  # folds that preset best judges training on; balanced takes one
FREEZING = ("full", *ADAPTERS)  # methods that may leave layers as they are
ALSO = ("auto", *FREEZING)  # methods whose training takes further tasks along
SHARDING = ("auto", "full", "contrastive", "lora", "ia3", "adapter")  # whose layers stand alone
EVERY_TASK = ("classify", "multilabel", "pair", "tag")
POOLED_TASKS = ("classify", "multilabel", "pair")

Model = TfidfModel | Tuned


@dataclass
class Tried:
    """The candidates so far, and what of their work is needed again.

    Args:
        candidates: In the order tried.
        probe: The solved head, once any method has asked for it.
        tuned: The last network each trained method made, by the method's name.
        judged: All the networks it made, one a part it was judged on.
        pool: The texts without labels, once self-training has asked for them.
    """

    candidates: list[Candidate]
    probe: Probe | None = None
    tuned: dict[str, Tuned] = field(default_factory=dict)
    judged: dict[str, tuple[Tuned, ...]] = field(default_factory=dict)
    pool: Pool | None = None


@dataclass(frozen=True)
class Method:
    """A way to make a model.

    Args:
        judge: Its outputs on the parts' judged rows; the last argument is the seconds it may take.
        finish: The model trained on all the rows it may see, and their numbers.
        tasks: It does.
        trained: Whether it takes a training, and with it most of the time.
        encoder: Whether it needs an encoder.
    """

    judge: Callable[[Work, Tried, float | None], Judged]
    finish: Callable[[Work, Tried], tuple[Model, np.ndarray]]
    tasks: tuple[str, ...] = POOLED_TASKS
    trained: bool = False
    encoder: bool = True


def retrained(work: Work, name: str) -> bool:
    """Whether a network is trained again on all rows: where rows are few, or time is given.

    Networks of one start that were trained on several parts need no further training: their mean
    has seen all rows.
    """
    return work.few or (work.recipe.fit.preset == "best" and name != "full")


def every_row(work: Work) -> Part:
    """A part of all rows."""
    rows = np.arange(len(work.rows))
    return Part(rows, rows)


def _finish_tfidf(work: Work, tried: Tried) -> tuple[Model, np.ndarray]:
    model = tfidf.fit(work.task, work.rows, tfidf.row_weights(work, work.rows))
    return model, every_row(work).train


def _solved(work: Work, tried: Tried) -> Judged:
    """The solved head's outputs; the head is kept for the methods that start from it.

    Raises:
        NoTimeError: If something else can be kept and embedding the rows would take too long.
    """
    left = work.clock.left(EXPORT_S) if tried.candidates else None
    most_s = None if left is None else max(left, probes.ANYWAY_S)
    tried.probe, judged = probes.prepare(work, dtype_of(work), most_s)
    return judged


def _finish_probe(work: Work, tried: Tried) -> tuple[Model, np.ndarray]:
    assert tried.probe is not None and work.pretrained is not None
    train = every_row(work).train
    head = probes.solve_head(work, tried.probe, train)
    return Tuned(probes.with_head(work.pretrained, work.task, head), History()), train


def _trained(name: str) -> Method:
    """A method that trains a network from the solved head: all of it, or an adapter in it."""

    def judge(work: Work, tried: Tried, budget_s: float | None) -> Judged:
        if tried.probe is None and work.task.pooled:
            _solved(work, tried)
        parts = BEST_PARTS if work.recipe.fit.preset == "best" else 1
        judged, tried.judged[name] = finetune.judge(
            work, tried.probe, dtype_of(work), budget_s, parts, adapter_of(name, work.recipe)
        )
        tried.tuned[name] = tried.judged[name][-1]
        return judged

    def finish(work: Work, tried: Tried) -> tuple[Model, np.ndarray]:
        if not retrained(work, name):
            seen = [part.train for part in work.parts[: len(tried.judged[name])]]
            return finetune.mean_of(tried.judged[name]), np.unique(np.concatenate(seen))
        every, adapter = every_row(work), adapter_of(name, work.recipe)
        config = finetune.configure(work, dtype_of(work), len(every.train), adapter)
        config = replace(config, budget_s=work.clock.left(EXPORT_S), patience=None)
        stage = "fine-tuning on all rows"
        return finetune.fine_tune(work, tried.probe, every, config, stage, adapter), every.train

    return Method(judge, finish, EVERY_TASK, trained=True)


def _judge_contrastive(work: Work, tried: Tried, budget_s: float | None) -> Judged:
    if tried.probe is None:
        _solved(work, tried)
    assert tried.probe is not None
    judged, tuned = contrastive.judge(work, tried.probe, dtype_of(work), budget_s)
    tried.tuned["contrastive"] = tuned
    return judged


def _finish_contrastive(work: Work, tried: Tried) -> tuple[Model, np.ndarray]:
    if not retrained(work, "contrastive"):
        return tried.tuned["contrastive"], work.parts[0].train
    assert tried.probe is not None
    every = every_row(work)
    config = contrastive.configure(work, every, dtype_of(work))
    config = replace(config, budget_s=work.clock.left(EXPORT_S), patience=None)
    stage = "contrastive training on all rows"
    return contrastive.tune(work, tried.probe, every, config, stage), every.train


def _judge_self_training(work: Work, tried: Tried, budget_s: float | None) -> Judged:
    if tried.probe is None:
        _solved(work, tried)
    assert tried.probe is not None
    dtype, base, best = dtype_of(work), _teacher(tried), work.recipe.fit.preset == "best"
    tried.pool = self_training.prepare(work, tried.probe, dtype)
    if base is None:
        parts = work.parts if work.few else work.parts[:1]
        return self_training.judge_solved(work, tried.probe, tried.pool, parts)
    # The teacher is the network of the last part that its method was judged on.
    part = work.parts[: BEST_PARTS if best and base != "contrastive" else 1][-1]
    teacher = tried.tuned[base].model
    config = self_training.configure(work, dtype, budget_s)
    judged, tried.tuned["self_training"] = self_training.judge_trained(
        work, tried.probe, tried.pool, teacher, part, config
    )
    return judged


def _finish_self_training(work: Work, tried: Tried) -> tuple[Model, np.ndarray]:
    assert tried.probe is not None and tried.pool is not None and work.pretrained is not None
    dtype, base, rows = dtype_of(work), _teacher(tried), every_row(work).train
    teacher: Model | None = None if base is None else tried.tuned[base]
    if base is not None and work.clock.limit_s is None:  # else the time is the student's
        teacher, _ = METHODS[base].finish(work, tried)
    if isinstance(teacher, Tuned):
        config = self_training.configure(work, dtype, work.clock.left(EXPORT_S))
        return self_training.trained(
            work, tried.probe, tried.pool, rows, teacher.model, config
        ), rows
    head = self_training.student_head(work, tried.probe, tried.pool, rows)
    return Tuned(probes.with_head(work.pretrained, work.task, head), History()), rows


def _teacher(tried: Tried) -> str | None:
    """The trained method whose network guesses labels; None for the solved head."""
    names = [name for name in tried.tuned if name != "self_training"]
    return names[-1] if names else None


def check(recipe: Recipe) -> None:
    """Refuse settings that the recipe's method does not take.

    Raises:
        RecipeError: If there are any.
    """
    method = recipe.fit.method
    adapter_of(method, recipe)
    if recipe.fit.freeze and method not in ("auto", *FREEZING):
        raise RecipeError(
            f"fit.freeze: fit.method: {method} does not take it; methods that do: "
            + ", ".join(FREEZING)
        )
    if recipe.data.also and method not in ALSO:
        raise RecipeError(
            f"data.also: fit.method: {method} does not learn further tasks along; methods that do: "
            + ", ".join(ALSO)
        )
    if recipe.fit.nli.bundle is not None:
        _check_nli(recipe)
    if recipe.fit.shard:
        check_shard(method, SHARDING)
    if recipe.fit.freeze and recipe.data.unlabelled is not None:
        raise RecipeError(
            "fit.freeze: learning from data.unlabelled trains every layer; leave out one"
        )


def _check_nli(recipe: Recipe) -> None:
    """Refuse a bundle that would have nothing to label."""
    if recipe.fit.method != "zero_shot":
        raise RecipeError(
            f"fit.nli.bundle: fit.method: {recipe.fit.method} learns from labelled rows; the "
            "method that does without is zero_shot"
        )
    if recipe.data.unlabelled is None:
        raise RecipeError(
            "fit.nli.bundle: needs data.unlabelled, the texts that the bundle labels: it is asked "
            "while fitting, so that the model answers without it, and a head learns its answers"
        )


def adapter_of(method: str, recipe: Recipe) -> Adapter | None:
    """The adapter of a method with the recipe's settings; None for a method that has none.

    Raises:
        RecipeError: If the method does not take one of them.
    """
    return chosen(method, recipe.fit.adapter.model_dump(exclude_none=True))


def dtype_of(work: Work) -> torch.dtype:
    """The number format to train in; which one is quicker is measured once a run."""
    wanted = work.measured(
        "precision", lambda: precisions.name_of(precisions.choose(work.recipe.fit.precision))
    )
    return precisions.choose(wanted)


METHODS: dict[str, Method] = {  # cheapest first
    "tfidf": Method(lambda work, *_: tfidf.judge(work), _finish_tfidf, encoder=False),
    "probe": Method(lambda work, tried, _: _solved(work, tried), _finish_probe),
    "contrastive": Method(_judge_contrastive, _finish_contrastive, contrastive.TASKS, trained=True),
    "full": _trained("full"),
    **{name: _trained(name) for name in ADAPTERS},
    "self_training": Method(
        _judge_self_training, _finish_self_training, self_training.TASKS, trained=True
    ),
}
