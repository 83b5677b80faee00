"""Layers whose inner values are computed again in the backward pass rather than kept.

Gradient checkpointing (Chen et al. 2016, arXiv:1604.06174) with a layer of the encoder as the unit:
of each layer its input is kept, so memory grows with layers times H and not with all that a layer
computes; a step takes one forward pass more. Dropout draws the same numbers again, so that the
gradient is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn
from torch.utils.checkpoint import checkpoint

from takeroot.models.layers import every_layer


@contextmanager
def recomputing(model: nn.Module, wanted: bool) -> Iterator[None]:
    """Inside the block, the layers of the model's encoder compute twice while it trains.

    Raises:
        RecipeError: If the encoder has no list of layers.
    """
    layers = every_layer(model.encoder) if wanted else []  # type: ignore[arg-type]
    for layer in layers:
        layer.forward = _twice(layer, layer.forward)
    try:
        yield
    finally:
        for layer in layers:
            del layer.forward  # the class's own is seen again


def _twice(layer: nn.Module, forward: Callable[..., Any]) -> Callable[..., Any]:
    """A layer's forward pass that keeps its inputs only."""

    def run(*args: Any, **options: Any) -> Any:
        if not layer.training:
            return forward(*args, **options)
        return checkpoint(forward, *args, use_reentrant=False, **options)

    return run
