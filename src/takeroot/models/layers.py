"""An encoder's layers."""

from __future__ import annotations

from typing import Any

from torch import nn

from takeroot.errors import RecipeError


def layers_of(encoder: nn.Module) -> nn.ModuleList:
    """The encoder's layers, lowest first: its first list of as many modules as it has layers.

    Raises:
        RecipeError: If there is no such list.
    """
    _, layers = named_layers(encoder)
    return layers


def named_layers(encoder: nn.Module) -> tuple[str, nn.ModuleList]:
    """The list of layers and its name."""
    config: Any = encoder.config
    for name, module in encoder.named_modules():
        if isinstance(module, nn.ModuleList) and len(module) == config.num_hidden_layers:
            return name, module
    raise RecipeError(
        f"fit.method: {type(encoder).__name__} has no list of layers that adapters could go into; "
        "methods that need none: tfidf, probe"
    )
