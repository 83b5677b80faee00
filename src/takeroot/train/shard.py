"""Layers whose weights, gradients and optimizer state are divided among processes.

Fully sharded data parallelism (Zhao et al. 2023, arXiv:2304.11277), torch's second form of it, with
a layer as the unit: a process holds its share of each layer, and the others' shares only while that
layer computes. What stands outside of the layers (embeddings, heads) is held by all. The leader
keeps the whole network beside its shares, which it fills in at the end.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from takeroot.errors import RecipeError
from takeroot.models.layers import every_layer, named_stacks
from takeroot.train.group import Group, current

VIEW = "FSDP2-wrapped module .* returned a view"  # T5's layers hand on a bias; nobody writes to it
ONE_PROCESS = "fit.shard: there is one process only; add --processes N, or use torchrun"


def check_shard(method: str, dividing: Sequence[str]) -> None:
    """Refuse to divide layers where that cannot be.

    Args:
        method: Of the recipe, whose ``fit.shard`` is set.
        dividing: Methods whose layers can be divided.

    Raises:
        RecipeError: If the method is none of them, or there is one process only.
    """
    if method not in dividing:
        raise RecipeError(
            f"fit.shard: fit.method: {method} does not take it; methods that do: "
            + ", ".join(dividing)
        )
    if current().size == 1:
        raise RecipeError(ONE_PROCESS)


def sharded(model: nn.Module, group: Group) -> nn.Module:
    """A copy of the network whose layers are divided among the processes.

    Raises:
        RecipeError: If there is one process only, or the encoder has no list of layers.
    """
    if group.size == 1:
        raise RecipeError(ONE_PROCESS)
    warnings.filterwarnings("ignore", VIEW)
    kept: dict[int, Any] = {id(layer): layer for layer in every_layer(model.encoder)}  # type: ignore[arg-type]
    twin = copy.deepcopy(model, kept)  # all but the layers
    mesh = init_device_mesh("cpu", (group.size,))
    stacks: Any = named_stacks(twin.encoder)  # type: ignore[arg-type]
    for _, stack in stacks:
        for place, layer in enumerate(stack):
            # Also after an evaluation: what was gathered would outlive the change of the shares.
            stack[place] = fully_shard(copy.deepcopy(layer), mesh=mesh, reshard_after_forward=True)
    return twin


def is_shard(tensor: Tensor) -> bool:
    """Whether a process holds only its share of it."""
    return isinstance(tensor, DTensor)


def local(tensor: Tensor) -> Tensor:
    """What this process holds of it, in the same memory."""
    held = tensor.detach()
    return held.to_local() if isinstance(held, DTensor) else held


def whole(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors with everybody's shares; called by all processes."""
    return {
        name: tensor.full_tensor() if isinstance(tensor, DTensor) else tensor
        for name, tensor in tensors.items()
    }


def like(tensor: Tensor, share: Tensor) -> Tensor:
    """A share as part of a whole that is divided as ``tensor`` is."""
    if not isinstance(tensor, DTensor):
        return share
    return DTensor.from_local(
        share,
        tensor.device_mesh,
        tensor.placements,
        run_check=False,
        shape=tensor.shape,
        stride=tensor.stride(),
    )


def divided(tensor: Tensor, value: Tensor) -> Tensor:
    """A whole value, divided as ``tensor`` is; without exchange, as each process has it whole."""
    if not isinstance(tensor, DTensor) or isinstance(value, DTensor):
        return value
    return distribute_tensor(value, tensor.device_mesh, tensor.placements, src_data_rank=None)


def clip(parameters: Sequence[nn.Parameter], most: float, group: Group) -> Tensor:
    """Scale the gradients down to a norm of at most ``most``; the norm they had, over all shares.

    As ``torch.nn.utils.clip_grad_norm_``, which takes no mixture of shares and wholes.
    """
    squares = {True: 0.0, False: 0.0}
    gradients = [(p, p.grad) for p in parameters if p.grad is not None]
    for parameter, gradient in gradients:
        squares[is_shard(parameter)] += float(local(gradient).double().square().sum())
    norm = (squares[False] + group.total(squares[True])) ** 0.5
    if norm > most:
        for _, gradient in gradients:
            local(gradient).mul_(most / (norm + 1e-6))
    return torch.tensor(norm)
