"""Where adapters go: an encoder's layers, and the modules in them that a pattern names."""

from __future__ import annotations

import re

from torch import nn

from takeroot.errors import RecipeError
from takeroot.models.layers import layers_of, named_stacks


def freeze(encoder: nn.Module, count: int) -> None:
    """Let the ``count`` lowest layers, and what is below them, stay as they are.

    Raises:
        RecipeError: If no layer would be left to train.
    """
    layers = layers_of(encoder)
    if count >= len(layers):
        raise RecipeError(
            f"fit.freeze: {count} of {len(layers)} layers leave none to train; allowed: 0 to "
            f"{len(layers) - 1}, or fit.method: probe for a frozen encoder"
        )
    if count:
        encoder.requires_grad_(False)
        layers[count:].requires_grad_(True)


def linear_names(encoder: nn.Module, lowest: int) -> list[str]:
    """Names of the linear modules in the layers from number ``lowest`` on."""
    return [
        f"{stem}.{number}.{name}"
        for stem, layers in named_stacks(encoder)
        for number, layer in enumerate(layers)
        for name, module in layer.named_modules()
        if number >= lowest and isinstance(module, nn.Linear)
    ]


def matching(encoder: nn.Module, pattern: str | None, lowest: int) -> list[str]:
    """Names of the linear modules whose end a pattern matches; all of them without a pattern.

    Args:
        encoder: Whose layers are looked through.
        pattern: A regular expression for the last parts of a module's name, such as
            ``query|value`` or ``attention.output.dense``.
        lowest: Number of the lowest layer looked at.

    Raises:
        RecipeError: If it is no regular expression, or matches nothing; then the names are listed.
    """
    names = linear_names(encoder, lowest)
    if pattern is None:
        return names
    try:
        wanted = re.compile(rf"(.*\.)?({pattern})")
    except re.error as error:
        raise RecipeError(f"fit.adapter.targets: {pattern!r}: not a pattern: {error}") from error
    found = [name for name in names if wanted.fullmatch(name)]
    if not found:
        parts = dict.fromkeys(re.sub(r"\.\d+\.", ".N.", name) for name in names)
        raise RecipeError(
            f"fit.adapter.targets: {pattern!r} matches no module in the layers from {lowest} on; "
            f"there are: {', '.join(parts)}"
        )
    return found
