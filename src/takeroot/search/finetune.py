"""Full fine-tuning from the solved head.

A head solved on the frozen encoder is where the network starts, so that the first gradients carry
information instead of noise (Kumar et al. 2022, arXiv:2202.10054, "linear probing then
fine-tuning"). The embedding tables stay as they are: they hold half of the parameters, most of
their rows are never seen in training, and leaving them out halves the optimizer's work.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import nn

from takeroot.bundle import Outputs
from takeroot.models.adapters import Adapter, Attached
from takeroot.models.adapters.attach import Saved, attach, trained
from takeroot.models.adapters.places import freeze
from takeroot.models.adapters.prompt import Prompt
from takeroot.models.text_model import TextModel
from takeroot.search import probe as probes
from takeroot.search.beside import beside, tagged
from takeroot.search.probe import Probe
from takeroot.search.work import Judged, Part, Work, gather
from takeroot.tasks import Encoded, Encoding, Task, encode_examples
from takeroot.train import History, Labelled, Objective, TrainConfig, configured, train
from takeroot.train.frozen import AboveFrozen, outputs_below
from takeroot.train.logistic import Linear
from takeroot.train.masking import Masking, masking_for
from takeroot.train.outputs import network_outputs

PASSES = 45_000  # rows seen in all (twice as many with preset best): few rows are seen more often
ADAPTED = 1.6  # times as many through an adapter: fewer parameters take longer to learn as much
FEWEST_EPOCHS, MOST_EPOCHS = 2, 8
TAG_EPOCHS = 6
LEARNING_RATE = 4e-4  # at full batches; smaller ones get a smaller one
BATCH, SMALL_BATCH = 64, 32  # 64 rows take a third less time a row than 32
SMALL_ROWS = 500  # below, batches are small: there would be too few steps
FEW_LABELLED = 20  # rows a label below which labels are few
FEW_PASSES, FEW_MOST, FEW_LEAST = 3_700, 8, 6  # rows seen in all, and epochs, where labels are few
FEW_C = 10.0  # at most, of the head such a training starts from: a sure head leaves little to learn
FEW_AVERAGE = 0.9  # of few steps, fewer are averaged
FEW_LEARNING_RATE = 1e-4
AVERAGE = 0.99
SMOOTHING = 0.1  # of the targets, where labels are not few, unless the recipe says otherwise
TAG_LEARNING_RATE = 2e-4
MASKED = 0.1  # of the tokens: two per cent off the error, and every tenth off the loss
CONTRASTIVE = 0.5  # weight of the contrastive loss where labels are few


@dataclass(frozen=True)
class Tuned:
    """A fine-tuned network, how its training went, and the adapter it was trained by, if any."""

    model: TextModel
    history: History
    adapter: Saved | None = None


def few_labelled(task: Task, rows: int) -> bool:
    """Whether there are so few rows a label that they are learnt from with more care."""
    return task.name == "classify" and rows < FEW_LABELLED * len(task.labels)


def configure(
    work: Work, dtype: torch.dtype, rows: int, adapter: Adapter | None = None
) -> TrainConfig:
    """The training settings: the recipe's, and defaults by the number of rows."""
    fit = work.recipe.fit
    few = few_labelled(work.task, rows)
    batch = fit.batch_size or (
        SMALL_BATCH if rows < SMALL_ROWS or work.task.name == "tag" else BATCH
    )
    rate = FEW_LEARNING_RATE if few else LEARNING_RATE * min(1.0, batch / BATCH)
    passes = PASSES * (2 if fit.preset == "best" else 1 if adapter is None else ADAPTED)
    epochs: float = min(max(round(passes / rows), FEWEST_EPOCHS), MOST_EPOCHS)
    if few:
        epochs = min(max(round(FEW_PASSES / rows), FEW_LEAST), FEW_MOST)
    if work.task.name == "tag":
        rate, epochs = TAG_LEARNING_RATE, TAG_EPOCHS
    times = 1.0 if adapter is None else adapter.rate
    rate = rate if fit.learning_rate is None else fit.learning_rate / times
    return configured(
        fit,
        dtype,
        epochs=fit.epochs or epochs,
        learning_rate=times * rate,
        head_learning_rate=rate if work.task.pooled else 10 * rate,
        batch_size=batch,
        average=FEW_AVERAGE if few else AVERAGE,
    )


def objective_of(work: Work, rows: int) -> Labelled:
    """What is learnt: the task, with hidden tokens, and texts contrasted where labels are few."""
    contrastive = CONTRASTIVE if few_labelled(work.task, rows) else 0.0
    return Labelled(work.task, _masking(work), contrastive)


def softer(probe: Probe) -> Probe:
    """A probe whose head leaves something to learn, where labels are few."""
    return replace(probe, c=min(probe.c, FEW_C))


def to_train(work: Work, head: Linear | None) -> TextModel:
    """A network on a copy of the encoder, with a solved head; without one, with a random head."""
    assert work.pretrained is not None
    copied = replace(work.pretrained, encoder=copy.deepcopy(work.pretrained.encoder))
    if head is None:
        return probes.build(copied, work.task)
    return probes.with_head(copied, work.task, head)


def set_trained(work: Work, model: TextModel, adapter: Adapter | None) -> Attached:
    """Say which parameters are trained: the adapter's or the layers', but no embedding tables.

    Raises:
        RecipeError: If adapter or ``fit.freeze`` do not fit the encoder.
    """
    lowest = work.recipe.fit.freeze
    if adapter is None:
        freeze(model.encoder, lowest)
        attached = Attached()
    else:
        attached = attach(adapter, model.encoder, lowest)
    embeddings = model.encoder.embeddings
    assert isinstance(embeddings, nn.Module) and work.pretrained is not None
    shapes = probes.takes_shapes(work.pretrained, work.task)
    for name, parameter in embeddings.named_parameters():
        parameter.requires_grad_(shapes and name.startswith("token_type"))
    return attached


def _masking(work: Work) -> Masking | None:
    """Which tokens are hidden in training; none for tag, where each of them counts."""
    share = work.recipe.fit.mask_tokens
    if share is None:
        share = 0.0 if work.task.name == "tag" else MASKED
    return masking_for(work.pretrained.tokenizer, share) if work.pretrained is not None else None


def fine_tune(
    work: Work,
    probe: Probe | None,
    part: Part,
    config: TrainConfig,
    stage: str,
    adapter: Adapter | None = None,
) -> Tuned:
    """A network trained on a part's training rows.

    Args:
        work: The material; its encoder is copied, not changed.
        probe: Where the head starts, or None for a random one.
        part: Its judged rows decide early stopping, where the recipe asks for it.
        config: How.
        stage: What the progress report calls it.
        adapter: What is trained in place of the layers, and is merged into them afterwards.
    """
    torch.manual_seed(config.seed)
    head = None
    if probe is not None:
        few = few_labelled(work.task, len(part.train))
        head = probes.solve_head(work, softer(probe) if few else probe, part.train)
    model = to_train(work, head)
    more = beside(work, model, part, config.precision)
    attached = set_trained(work, model, adapter)
    rows = encode(work, part.train).rows
    valid: Sequence[Any] = encode(work, part.judge).rows if config.patience is not None else ()
    objective = replace(objective_of(work, len(part.train)), penalty=attached.penalty)
    network, learnt = model, from_frozen(work, model, config, objective, rows, adapter)
    if more is not None:
        network, learnt, valid = more.network(model), more.learnt(objective, rows), tagged(valid)
    history = train(
        network,
        *learnt,
        config,
        valid=valid,
        progress=work.progress,
        stage=stage,
        after_step=attached.after_step,
        keep=work.keep,
    )
    if adapter is None:
        return Tuned(model, history)
    attached.settle()
    saved = Saved(adapter, work.recipe.fit.freeze, trained(model))
    attached.merge()
    return Tuned(model, history, saved)


def from_frozen(  # each of them may forbid it
    work: Work,
    model: TextModel,
    config: TrainConfig,
    objective: Labelled,
    rows: list[Encoded],
    adapter: Adapter | None,
) -> tuple[Objective, Sequence[Any]]:
    """What is learnt and from which rows: from kept outputs of frozen layers, where that can be."""
    lowest = work.recipe.fit.freeze
    if not lowest or config.epochs <= 1:
        return objective, rows
    embeddings = model.encoder.embeddings
    assert isinstance(embeddings, nn.Module)
    reasons = {
        "fit.mask_tokens hides other tokens each time (0 hides none)": objective.masking,
        "fit.dropout drops other values each time": config.dropout,
        "the shapes of words are learnt below them": any(
            parameter.requires_grad for parameter in embeddings.parameters()
        ),
        "learned words pass through them, too": isinstance(adapter, Prompt),
        "further tasks are learnt along (data.also)": work.also,
    }
    for reason, forbids in reasons.items():
        if forbids:
            work.progress.note(f"the {lowest} frozen layers are run in every epoch: {reason}")
            return objective, rows
    work.progress.note(f"the {lowest} frozen layers are run once; every epoch starts from there")
    kept = outputs_below(model, rows, lowest, config.precision)
    return AboveFrozen(objective, rows, kept, lowest), range(len(rows))


def encode(work: Work, rows: np.ndarray) -> Encoding:
    """Some rows as the network takes them."""
    assert work.pretrained is not None
    return encode_examples(work.task, work.pretrained.tokenizer, work.pick(rows), work.max_tokens)


def outputs_of(work: Work, model: TextModel, rows: np.ndarray) -> Outputs:
    """The network's float32 outputs for some rows."""
    return network_outputs(model, encode(work, rows))


def judge(
    work: Work,
    probe: Probe | None,
    dtype: torch.dtype,
    budget_s: float | None,
    parts: int,
    adapter: Adapter | None = None,
) -> tuple[Judged, tuple[Tuned, ...]]:
    """Train and judge on the first ``parts`` parts; also the networks trained."""
    outputs, networks = [], []
    chosen = work.parts[:parts]
    for number, part in enumerate(chosen, start=1):
        config = configure(work, dtype, len(part.train), adapter)
        if budget_s is not None:
            config = replace(config, budget_s=budget_s / parts)
        stage = "fine-tuning" if parts == 1 else f"fine-tuning {number}/{parts}"
        tuned = fine_tune(work, probe, part, config, stage, adapter)
        networks.append(tuned)
        outputs.append(outputs_of(work, tuned.model, part.judge))
    return gather(chosen, outputs), tuple(networks)


def mean_of(networks: Sequence[Tuned]) -> Tuned:
    """One network whose weights are the mean of several that began at the same weights.

    It answers about as well as all of them together and costs what one does (Wortsman et al. 2022,
    arXiv:2203.05482, "Model soups"). Where we differ: each of them was trained on other rows.
    """
    if len(networks) == 1:
        return networks[0]
    states = [each.model.state_dict() for each in networks]
    mean = {
        name: torch.stack([state[name] for state in states]).mean(dim=0)
        if tensor.is_floating_point()
        else tensor
        for name, tensor in states[0].items()
    }
    model = copy.deepcopy(networks[0].model)
    model.load_state_dict(mean)
    return Tuned(model, networks[-1].history)
