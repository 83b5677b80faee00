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


def named_stacks(network: nn.Module) -> list[tuple[str, nn.ModuleList]]:
    """Every list of layers and its name: one, or those of an encoder and of its decoder."""
    config: Any = network.config
    if not getattr(config, "is_encoder_decoder", False):
        return [named_layers(network)]
    sizes = {"encoder": config.num_hidden_layers, "decoder": _decoder_layers(config)}
    found: list[tuple[str, nn.ModuleList]] = []
    for part, size in sizes.items():
        for name, module in network.named_modules():
            own = part in name.split(".")
            if own and isinstance(module, nn.ModuleList) and len(module) == size:
                found.append((name, module))
                break
    return found


def every_layer(network: nn.Module) -> list[nn.Module]:
    """The layers of all stacks."""
    return [layer for _, stack in named_stacks(network) for layer in stack]


def _decoder_layers(config: Any) -> int:
    """How many layers a decoder has; families call it differently."""
    names = ("decoder_layers", "num_decoder_layers")
    return int(next(getattr(config, name) for name in names if hasattr(config, name)))


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
