"""Train a network to answer: all of it, or an adapter in it, which is then merged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from takeroot.errors import RecipeError
from takeroot.generation.held import held
from takeroot.generation.material import Material
from takeroot.generation.objective import Answers, Judged, Row, Writer
from takeroot.generation.words import words_in
from takeroot.models.adapters import Adapter, Attached
from takeroot.models.adapters.attach import Saved, attach, check_fits, chosen, trained
from takeroot.models.adapters.places import freeze
from takeroot.models.adapters.prompt import Prompt
from takeroot.models.generator import PretrainedGenerator
from takeroot.models.layers import every_layer
from takeroot.recipe import SCRATCH, Recipe
from takeroot.train import History, Progress, TrainConfig, configured, train
from takeroot.train import precision as precisions
from takeroot.train.run_folder import Kept

METHODS = ("lora", "adalora", "ia3", "adapter", "prompt", "full")  # what ends in plain weights
RATE, SCRATCH_RATE = 5e-5, 1e-3  # of all weights; an adapter's is ``Adapter.rate`` times as high
SCRATCH_WORDS = 10.0  # times as much for the table of words, which starts √hidden times as large
EPOCHS, SCRATCH_EPOCHS = 3, 10
BATCH, SCRATCH_BATCH = 16, 64
PATIENCE = 2  # passes without gain before stopping
SHALLOW, SHALLOW_PART, DEEP_PART = 12, 2048, 1024  # layers; tokens computed at once
TRAINED_SHARE = 0.7  # of the time left, for training; the rest is for export and for answering


@dataclass(frozen=True)
class Trained:
    """A network that has learnt, its adapter merged.

    Args:
        method: How.
        history: What happened.
        before: How the held-out rows were answered before.
        after: How they are now.
        adapter: What was trained, where that was an adapter.
        parameters: How many were trained, and how many there are.
        precision: Of the training.
    """

    method: str
    history: History
    before: Judged
    after: Judged
    adapter: Saved | None
    parameters: tuple[int, int]
    precision: str


def method_of(recipe: Recipe) -> str:
    """The method a recipe means.

    Raises:
        RecipeError: If it cannot make a model that writes, or contradicts the model.
    """
    scratch = recipe.model == SCRATCH
    method = recipe.fit.method
    if method == "auto":
        method = "full" if scratch else "lora"
    if method not in METHODS:
        why = "keys and values in each layer have no place there" if method == "prefix" else ""
        raise RecipeError(
            f"fit.method: {method!r} does not do task {recipe.task}; methods that do: "
            f"{', '.join(['auto', *METHODS])} (what they learn becomes plain weights, which is all "
            f"that a served model that writes can hold{why and '; '}{why})"
        )
    if scratch and method != "full":
        raise RecipeError(f"fit.method: {method!r} needs a pretrained model; from scratch: full")
    return method


def words_of(recipe: Recipe, base: PretrainedGenerator) -> int:
    """How many learned words stand before every input.

    Raises:
        RecipeError: If the method does not fit the model.
    """
    adapter = _adapter(recipe)
    if adapter is not None:
        check_fits(adapter, base.network, others=("full",))
    return adapter.tokens if isinstance(adapter, Prompt) else 0


def train_writer(
    recipe: Recipe, pretrained: PretrainedGenerator, found: Material, kept: Kept, show: Progress
) -> Trained:
    """Train the pretrained network in place.

    Args:
        recipe: How.
        pretrained: The network.
        found: The rows.
        kept: Where states are kept, and the clock.
        show: Where to report to.
    """
    method, adapter = method_of(recipe), _adapter(recipe)
    model = Writer(pretrained.network)
    dtype = _dtype(recipe, kept)
    config = replace(_config(recipe, adapter, dtype, kept), part_tokens=_part(model.encoder))
    with torch.random.fork_rng(devices=[]):  # where an adapter begins is the recipe's seed's to say
        torch.manual_seed(recipe.fit.seed)
        attached = _set_trained(recipe, model, adapter)
    name = SCRATCH if recipe.model == SCRATCH else method
    objective = Answers(
        pretrained.config.start, recipe.fit.label_smoothing or 0.0, attached.penalty
    )
    bare = [Row(row.prompt[words_in(found.how) :], row.answer) for row in found.valid]
    before = objective.judge(model, bare, dtype, _told(show, "held out, before", found))
    with held(model, torch.float32 if recipe.fit.shard else dtype):  # shares have one format
        history = train(
            model,
            objective,
            found.train,
            config,
            valid=found.valid,
            progress=show,
            stage=f"{name}: training",
            after_step=attached.after_step,
            keep=kept.keep,
        )
    attached.settle()
    every = sum(p.numel() for p in model.parameters())
    own = sum(p.numel() for p in model.parameters() if p.requires_grad)
    saved = None
    if adapter is not None:
        saved = Saved(adapter, recipe.fit.freeze, trained(model))
        every -= own
    attached.merge()
    model.eval()
    after = objective.judge(model, found.valid, dtype, _told(show, "held out, after", found))
    return Trained(name, history, before, after, saved, (own, every), precisions.name_of(dtype))


def _adapter(recipe: Recipe) -> Adapter | None:
    """The adapter of the recipe's method; None where it has none."""
    return chosen(method_of(recipe), recipe.fit.adapter.model_dump(exclude_none=True))


def _set_trained(recipe: Recipe, model: Writer, adapter: Adapter | None) -> Attached:
    """Say which parameters are trained."""
    if adapter is not None:
        return attach(adapter, model.encoder, recipe.fit.freeze)
    freeze(model.encoder, recipe.fit.freeze)
    return Attached()


def _config(recipe: Recipe, adapter: Adapter | None, dtype: torch.dtype, kept: Kept) -> TrainConfig:
    """The recipe's settings as the loop takes them."""
    fit, scratch = recipe.fit, recipe.model == SCRATCH
    rate = (SCRATCH_RATE if scratch else RATE) * (1.0 if adapter is None else adapter.rate)
    rate = fit.learning_rate or rate
    return configured(
        fit,
        dtype,
        epochs=fit.epochs or (SCRATCH_EPOCHS if scratch else EPOCHS),
        learning_rate=rate,
        head_learning_rate=rate * (SCRATCH_WORDS if scratch else 1.0),
        batch_size=fit.batch_size or (SCRATCH_BATCH if scratch else BATCH),
        patience=fit.patience or PATIENCE,
        budget_s=_budget(kept),
    )


def _part(network: nn.Module) -> int:
    """Tokens computed at once: what a network keeps of each of them grows with its layers."""
    return SHALLOW_PART if len(every_layer(network)) <= SHALLOW else DEEP_PART


def _budget(kept: Kept) -> float | None:
    """Seconds the training may take: part of what is left goes to export and answers."""
    left = kept.clock.left()
    return None if left is None else max(left * TRAINED_SHARE, 1.0)


def _dtype(recipe: Recipe, kept: Kept) -> torch.dtype:
    """The number format to train in; which one is quicker is measured once a run."""
    wanted: Any = kept.measured(
        "precision", lambda: precisions.name_of(precisions.choose(recipe.fit.precision))
    )
    return precisions.choose(wanted)


def _told(show: Progress, stage: str, found: Material) -> Callable[[int], None]:
    """Reports how many held-out rows are measured."""
    return lambda count: show.step(stage, count, len(found.valid), {})
