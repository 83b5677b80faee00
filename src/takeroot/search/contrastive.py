"""Supervised contrastive fine-tuning from the solved head, for few labels.

Cross-entropy moves the head's planes, the contrastive loss the texts themselves: each is drawn to
the others of its label and away from all others of its batch (Khosla et al. 2020, arXiv:2004.11362;
beside cross-entropy: Gunel et al. 2021, arXiv:2011.01403). An epoch's cost grows with the number of
texts, as every batch is embedded once and compared with itself; SetFit (Tunstall et al. 2022,
arXiv:2209.11055) embeds sampled pairs. Where we differ: the start is the solved head; the label
names are texts as well, where cross-validation found that they help that head; and the encoder
kept lies between the pretrained and the trained one (Wortsman et al. 2022, arXiv:2109.01903,
equation 1), which costs nothing and forgets less:

    w = w_pretrained + MOVED * (w_trained - w_pretrained)
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import nn

from takeroot.search import finetune
from takeroot.search import probe as probes
from takeroot.search.finetune import Tuned
from takeroot.search.probe import Probe
from takeroot.search.work import Judged, Part, Work, gather
from takeroot.tasks import Encoded, encode_examples
from takeroot.train import Labelled, TrainConfig, train

TASKS = ("classify", "pair")
WEIGHT = 0.5  # of the contrastive loss beside the cross-entropy
MOVED = 0.75  # share of the way from the pretrained encoder to the trained one


def judge(
    work: Work, probe: Probe, dtype: torch.dtype, budget_s: float | None
) -> tuple[Judged, Tuned]:
    """Train and judge on the first part; also the network trained."""
    part = work.parts[0]
    config = replace(configure(work, part, dtype), budget_s=budget_s)
    tuned = tune(work, probe, part, config, "contrastive training")
    return gather([part], [finetune.outputs_of(work, tuned.model, part.judge)]), tuned


def tune(work: Work, probe: Probe, part: Part, config: TrainConfig, stage: str) -> Tuned:
    """A network trained on a part's training rows, from the head solved on them.

    Args:
        work: The material; its encoder is copied, not changed.
        probe: Vectors and penalty of the head.
        part: Its judged rows decide early stopping, where the recipe asks for it.
        config: How.
        stage: What the progress report calls it.
    """
    assert work.pretrained is not None
    torch.manual_seed(config.seed)
    head = probes.solve_head(work, finetune.softer(probe), part.train)
    model = finetune.to_train(work, head)
    finetune.set_trained(work, model, None)
    rows = finetune.encode(work, part.train).rows
    if probe.names is not None:
        rows = rows + named_rows(work)
    valid = finetune.encode(work, part.judge).rows if config.patience is not None else ()
    masking = finetune.objective_of(work, len(rows)).masking
    history = train(
        model,
        Labelled(work.task, masking, WEIGHT),
        rows,
        config,
        valid=valid,
        progress=work.progress,
        stage=stage,
        keep=work.keep,
    )
    move_back(model.encoder, work.pretrained.encoder)
    return Tuned(model, history)


def move_back(trained: nn.Module, pretrained: nn.Module) -> None:
    """Take the trained encoder's weights a part of the way back, in place."""
    with torch.no_grad():
        for moved, start in zip(trained.parameters(), pretrained.parameters(), strict=True):
            moved.copy_(torch.lerp(start, moved, MOVED))


def configure(work: Work, part: Part, dtype: torch.dtype) -> TrainConfig:
    """The settings of fine-tuning on as many rows, changed copies not counted."""
    return finetune.configure(work, dtype, int((part.train < work.own).sum()))


def named_rows(work: Work) -> list[Encoded]:
    """The label names as rows of the network."""
    assert work.pretrained is not None
    tokenizer = work.pretrained.tokenizer
    return encode_examples(work.task, tokenizer, probes.named(work), work.max_tokens).rows
