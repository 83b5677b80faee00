"""All that a training needs to go on as if it had never stopped.

What is not here is made again from the recipe: the frozen weights, the rows, their order (from the
state its generator had when the epoch began), and the learning rate (from the step's number).
"""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from takeroot.errors import CheckpointError
from takeroot.train.config import TrainConfig
from takeroot.train.shard import divided


@dataclass
class Position:
    """Where a training is.

    Args:
        total: Steps of the schedule, which a time budget may have shortened.
        done: Steps.
        elapsed_s: Seconds, those of earlier processes included.
        epoch: What the generator of the order was like when the current epoch began; None between
            two epochs.
        batch: Batches of this epoch that are done.
        losses: Of this epoch's steps.
        bad: Steps in a row, up to now, that were not taken.
        best_score: Of the epochs so far, for early stopping.
        since: Epochs since then.
    """

    total: int
    done: int = 0
    elapsed_s: float = 0.0
    epoch: dict[str, Any] | None = None
    batch: int = 0
    losses: list[float] = field(default_factory=list)
    bad: int = 0
    best_score: float = -1.0
    since: int = 0

    def to_json(self) -> dict[str, Any]:
        """Its fields; a loss that is not finite is None, as JSON has no such number."""
        finite = [loss if math.isfinite(loss) else None for loss in self.losses]
        return {**asdict(self), "losses": finite}

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> Position:
        """The position with these fields."""
        losses = [math.nan if loss is None else loss for loss in values["losses"]]
        return Position(**{**values, "losses": losses})


def changing(model: nn.Module) -> dict[str, Tensor]:
    """The tensors of a model that training changes: trained parameters, and buffers."""
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    return {**trained, **dict(model.named_buffers())}


def copies(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copies that training does not change."""
    return {name: tensor.detach().clone().contiguous() for name, tensor in tensors.items()}


def put(tensors: Mapping[str, Tensor], values: Mapping[str, Tensor]) -> None:
    """Copy values into the tensors of the same names."""
    with torch.no_grad():
        for name, tensor in tensors.items():
            tensor.copy_(divided(tensor, values[name]))


def optimizer_tensors(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """What an optimizer remembers of each parameter, as ``NAME/KEY``."""
    return {
        f"{name}/{key}": value
        for name, parameter in model.named_parameters()
        for key, value in optimizer.state.get(parameter, {}).items()
    }


def put_optimizer(
    model: nn.Module, optimizer: torch.optim.Optimizer, values: Mapping[str, Tensor]
) -> None:
    """Let an optimizer remember what :func:`optimizer_tensors` gave."""
    parameters = dict(model.named_parameters())
    for place, value in values.items():
        name, _, key = place.rpartition("/")
        parameter = parameters[name]
        held = divided(parameter, value) if value.shape == parameter.shape else value
        optimizer.state[parameter][key] = held.clone()


def random_state() -> dict[str, Any]:
    """Of torch (dropout, masking), NumPy and Python, as JSON."""
    kind, numbers, *rest = np.random.get_state(legacy=True)
    return {
        "torch": torch.get_rng_state().numpy().tobytes().hex(),
        "numpy": [kind, np.asarray(numbers).tolist(), *rest],
        "python": random.getstate(),
    }


def put_random_state(values: Mapping[str, Any]) -> None:
    """Make all of :func:`random_state`'s generators go on from there."""
    state = np.frombuffer(bytes.fromhex(values["torch"]), np.uint8)
    torch.set_rng_state(torch.from_numpy(state.copy()))
    kind, numbers, *rest = values["numpy"]
    np.random.set_state((kind, np.array(numbers, np.uint32), *rest))
    version, internal, following = values["python"]
    random.setstate((version, tuple(internal), following))


def identity(
    model: nn.Module, lengths: np.ndarray, config: TrainConfig, metric: str, processes: int
) -> dict[str, str]:
    """What tells one training from another; the time it may take does not."""
    shapes = [(name, list(tensor.shape)) for name, tensor in changing(model).items()]
    settings = {k: str(v) for k, v in asdict(config).items() if k != "budget_s"}
    numbers = np.ascontiguousarray(lengths, np.int64).tobytes()
    return {
        **settings,
        "metric": metric,
        "processes": str(processes),
        "rows": f"{len(lengths)}, sha256 {hashlib.sha256(numbers).hexdigest()}",
        "weights": f"sha256 {hashlib.sha256(repr(shapes).encode()).hexdigest()}",
    }


def check_identity(kept: Mapping[str, str], own: Mapping[str, str], stage: str) -> None:
    """Refuse the state of another training.

    Raises:
        CheckpointError: If they differ; it names where.
    """
    different: Sequence[str] = [key for key in own if kept.get(key) != own[key]]
    if different:
        key = different[0]
        raise CheckpointError(
            f"{stage}: the checkpoint is of another training: its {key} is {kept.get(key)}, "
            f"here it is {own[key]}"
        )
