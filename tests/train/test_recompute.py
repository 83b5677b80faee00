"""Computing a layer twice changes what is kept, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from takeroot.models.config import ARCHITECTURES
from takeroot.models.layers import layers_of
from takeroot.tasks import Classify, Encoded
from takeroot.train import Labelled, TrainConfig, train
from takeroot.train.recompute import recomputing

Build = Callable[..., Any]
TASK = Classify(("a", "b"))
ROWS = [Encoded([2, 20 + 10 * (k % 2), 40 + k, 3], [0] * 4, (), k % 2) for k in range(8)]


def weights_after(model: Any, recompute: bool) -> Tensor:
    config = TrainConfig(epochs=2, batch_size=4, dropout=0.2, recompute=recompute)
    train(model, Labelled(TASK), ROWS, config)
    return torch.cat([p.detach().flatten() for p in model.parameters()])


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_the_weights_are_the_same(tiny_model: Build, kind: str):
    plain = weights_after(tiny_model(TASK, kind), recompute=False)

    again = weights_after(tiny_model(TASK, kind), recompute=True)

    torch.testing.assert_close(again, plain, atol=1e-7, rtol=0)


def kept_bytes(model: Any) -> int:
    """What the forward pass keeps for the gradient."""
    sizes: list[int] = []

    def pack(tensor: Tensor) -> Tensor:
        sizes.append(tensor.nbytes)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        Labelled(TASK).loss(model, ROWS, torch.float32)
    return sum(sizes)


def test_less_is_kept_in_memory(tiny_model: Build):
    model = tiny_model(TASK).train()
    whole = kept_bytes(model)

    with recomputing(model, True):
        less = kept_bytes(model)

    assert less < whole / 2


def test_afterwards_the_layers_are_as_before(tiny_model: Build):
    model = tiny_model(TASK)

    with recomputing(model, True):
        assert all("forward" in vars(layer) for layer in layers_of(model.encoder))

    assert not any("forward" in vars(layer) for layer in layers_of(model.encoder))
