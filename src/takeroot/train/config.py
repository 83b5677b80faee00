"""How to train, and what is told of it afterwards."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

import torch
from pydantic import BaseModel


@dataclass(frozen=True)
class TrainConfig:
    """How to train.

    Args:
        epochs: Passes over the rows; fractions are allowed.
        learning_rate: Highest rate of the encoder.
        head_learning_rate: Highest rate of the head.
        batch_size: Rows a step.
        accumulate: Batches whose gradients are summed before a step.
        weight_decay: AdamW's.
        warmup_share: Share of all steps over which the rate rises from 0.
        schedule: ``linear`` or ``cosine`` decay to 0.
        clip: Largest norm of the gradient.
        dropout: Probability of dropping a hidden unit.
        average: Decay of the weights' moving average a step, 0 for none.
        patience: Epochs without a better validation score before stopping, 1 or more; None for
            never.
        precision: Format of the matrix products.
        recompute: Whether the encoder's layers compute again in the backward pass what they
            would have kept.
        shard: Whether the encoder's layers are divided among the processes.
        part_tokens: Padded tokens computed at once, at most: what memory grows with.
        budget_s: Seconds the training may take, or None.
        seed: Of data order, dropout and masking.
    """

    epochs: float = 3.0
    learning_rate: float = 1e-4
    head_learning_rate: float = 1e-4
    batch_size: int = 32
    accumulate: int = 1
    weight_decay: float = 0.01
    warmup_share: float = 0.1
    schedule: str = "linear"
    clip: float = 1.0
    dropout: float = 0.0
    average: float = 0.99
    patience: int | None = None
    precision: torch.dtype = torch.float32
    recompute: bool = False
    shard: bool = False
    part_tokens: int = 2048
    budget_s: float | None = None
    seed: int = 0


def configured(settings: BaseModel, precision: torch.dtype, **chosen: Any) -> TrainConfig:
    """A recipe's settings of a training, each by its name.

    Args:
        settings: The recipe's part with them.
        precision: Format of the matrix products, as it was measured or asked for.
        chosen: What the recipe leaves open, in place of what it says.
    """
    names = {each.name for each in fields(TrainConfig)} - {"precision"}
    said = {name: value for name, value in settings if name in names and value is not None}
    return TrainConfig(**{**said, **chosen}, precision=precision)


@dataclass
class History:
    """What happened.

    Args:
        steps: A row every few steps, as the report draws them.
        epochs: A row an epoch.
        events: What was out of the ordinary, each with the number of its step.
    """

    steps: list[dict[str, float]] = field(default_factory=list)
    epochs: list[dict[str, float]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
