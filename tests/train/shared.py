"""Trainings alone and by two processes, for torchrun: prints how far apart the weights are as JSON.

Run: torchrun --nproc-per-node 2 shared.py. The first process trains each case alone, then with the
other one, also with layers divided among both; and it goes on from a state in the middle.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor, nn
from transformers import BertConfig, BertModel
from transformers.models.bert.modeling_bert import BertAttention

from takeroot.machine import torchrun_rank
from takeroot.models.adapters import ADAPTERS
from takeroot.models.adapters.attach import attach
from takeroot.models.text_model import TextModel
from takeroot.tasks import Classify, Encoded, Tag
from takeroot.train import Labelled, TrainConfig, train
from takeroot.train.checkpoints import Checkpoints
from takeroot.train.helpers import help_out, together

CONFIG = TrainConfig(epochs=2, learning_rate=1e-3, head_learning_rate=1e-2, batch_size=5)
SHAPE = {"vocab_size": 60, "hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2}
CLASSES, TAGS = Classify(("a", "b", "c")), Tag(("O", "B-x", "I-x"))
MIDDLE = 4  # of six steps


def texts(words: bool) -> list[Encoded]:
    """Random token ids with a label a row, or one for each of some words."""
    random = np.random.default_rng(1)
    rows = []
    for number in range(13):
        ids = [2, *random.integers(5, 60, 2 + number % 5).tolist(), 3]
        places = list(range(1, 2 + number % 2)) if words else []
        rows.append(Encoded(ids, [0] * len(ids), places, [number % 3] * len(places) or number % 3))
    return rows


def network(task: Any) -> TextModel:
    """A random one, the same each time."""
    torch.manual_seed(0)
    shape = BertConfig(**SHAPE, intermediate_size=32, attn_implementation="eager")
    encoder = BertModel(shape, add_pooling_layer=False)
    for name, parameter in encoder.embeddings.named_parameters():
        parameter.requires_grad_(name.startswith("LayerNorm"))
    return TextModel(encoder, task.head(16), pooled=task.pooled, token_types=True)


def trained(case: dict[str, Any], shard: bool, keep: Checkpoints | None = None) -> TextModel:
    """A network trained as a case says."""
    task = case["task"]
    model, hooks = network(task), None
    if "adapter" in case:
        hooks = attach(ADAPTERS[case["adapter"]](), model.encoder)
    objective = Labelled(task, None, case.get("contrastive", 0.0), hooks and hooks.penalty)
    config = replace(CONFIG, shard=shard, patience=case.get("patience"), **case.get("config", {}))
    rows, after = texts(task is TAGS), hooks and hooks.after_step
    train(model, objective, rows, config, valid=rows, after_step=after, keep=keep)
    return model


def weights(model: nn.Module) -> Tensor:
    """All trained ones."""
    return torch.cat([p.detach().flatten() for p in model.parameters() if p.requires_grad])


CASES: dict[str, dict[str, Any]] = {
    "classify": {"task": CLASSES, "patience": 2},
    "tag": {"task": TAGS},
    "contrastive": {"task": CLASSES, "contrastive": 0.5},
    "accumulated": {"task": CLASSES, "config": {"accumulate": 2}},
    "recomputed": {"task": CLASSES, "config": {"recompute": True}},
    **{name: {"task": CLASSES, "adapter": name} for name in ADAPTERS},
}
SHARDED = ("classify", "tag", "contrastive", "accumulated", "recomputed", "lora", "ia3", "adapter")


def gone_on_with(folder: Path, shard: bool) -> float:
    """How far a training that goes on from its state after some steps is from one that does not."""
    states, kept = folder / "states", folder / "kept"

    def keep_one() -> None:
        if list(states.glob(f"*/step-*{MIDDLE}")):
            shutil.copytree(states, kept, dirs_exist_ok=True)

    case = {"task": CLASSES, "config": {"dropout": 0.2}}
    whole = weights(trained(case, shard, Checkpoints(states, every_s=0, kept=keep_one)))
    for state in kept.glob("*/*"):
        if not state.name.endswith(str(MIDDLE)):
            shutil.rmtree(state)
    again = weights(trained(case, shard, Checkpoints(kept, every_s=0)))
    return float((again - whole).abs().max())


def layer_passes(recompute: bool) -> int:
    """How often layers divided among processes compute in a training."""
    count, forward = [0], BertAttention.forward

    def counted(part: BertAttention, *args: Any, **options: Any) -> Any:
        count[0] += part.training
        return forward(part, *args, **options)

    with patch.object(BertAttention, "forward", counted):
        trained({"task": CLASSES, "config": {"recompute": recompute}}, shard=True)
    return count[0]


def main() -> None:
    """Compare."""
    if torchrun_rank():
        help_out()
        return
    alone = {name: weights(trained(case, shard=False)) for name, case in CASES.items()}
    far: dict[str, float] = {}
    with together(None) as group, tempfile.TemporaryDirectory() as folder:
        for name, case in CASES.items():
            far[name] = float((weights(trained(case, False)) - alone[name]).abs().max())
        for name in SHARDED:
            found = weights(trained(CASES[name], shard=True))
            far[f"{name}, sharded"] = float((found - alone[name]).abs().max())
        for shard in (False, True):
            name = "gone on with" + ", sharded" * shard
            far[name] = gone_on_with(Path(folder) / str(shard), shard)
        passes = [layer_passes(recompute) for recompute in (False, True)]
        said = {"size": group.size, "far": far, "layer_passes": passes}
        sys.stdout.write(json.dumps(said) + "\n")


if __name__ == "__main__":
    sys.exit(main())
