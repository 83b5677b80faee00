"""AdamW (Loshchilov & Hutter 2019, arXiv:1711.05101) with groups by rate and decay."""

from __future__ import annotations

import torch
from torch import nn

from takeroot.train.config import TrainConfig
from takeroot.train.shard import is_shard

HEADS = ("head.", "heads.", "encoder.shared.")  # the last: T5's words, its output layer as well


def adamw(model: nn.Module, config: TrainConfig) -> torch.optim.AdamW:
    """AdamW with no decay on biases and norms, and the head at a rate of its own."""
    groups: dict[tuple[float, float, bool], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            rate = config.head_learning_rate if name.startswith(HEADS) else config.learning_rate
            decay = config.weight_decay if parameter.ndim > 1 else 0.0
            kind = (rate, decay, is_shard(parameter))  # one operation takes no mixture of these
            groups.setdefault(kind, []).append(parameter)
    return torch.optim.AdamW(
        [
            {"params": parameters, "lr": rate, "highest": rate, "weight_decay": decay}
            for (rate, decay, _), parameters in groups.items()
        ],
        fused=True,
    )
