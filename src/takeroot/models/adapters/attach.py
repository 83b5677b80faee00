"""An adapter by its name in a recipe: its settings checked, put into an encoder, saved and loaded.

What is saved is the parameters that were trained, by name, with what to put them on: at most a few
hundredths of the model. Any number of such files share one base.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import torch
from torch import Tensor, nn

from takeroot.errors import ModelError, RecipeError
from takeroot.models.adapters import ADAPTERS, Adapter, Attached
from takeroot.models.adapters.places import freeze


@dataclass(frozen=True)
class Saved:
    """An adapter that was trained.

    Args:
        adapter: With its settings.
        lowest: Number of the lowest layer that is adapted.
        tensors: What was trained, the head included, by name.
    """

    adapter: Adapter
    lowest: int
    tensors: Mapping[str, Tensor]

    def config(self) -> dict[str, Any]:
        """What ``weights/config.json`` says of it."""
        return {"method": name_of(self.adapter), **asdict(self.adapter), "freeze": self.lowest}  # type: ignore[call-overload]


def chosen(method: str, settings: Mapping[str, Any]) -> Adapter | None:
    """The adapter of a method with the settings given; None for a method that is no adapter.

    Raises:
        RecipeError: If the method does not take one of the settings.
    """
    kind = ADAPTERS.get(method)
    takes = [field.name for field in fields(kind)] if kind is not None else []  # type: ignore[arg-type]
    for name in settings:
        if name not in takes:
            raise RecipeError(f"fit.adapter.{name}: {_refusal(method, name, takes)}")
    return None if kind is None else kind(**settings)


def name_of(adapter: Adapter) -> str:
    """The method that the adapter is."""
    return next(name for name, kind in ADAPTERS.items() if type(adapter) is kind)


def attach(adapter: Adapter, encoder: nn.Module, lowest: int = 0) -> Attached:
    """Put an adapter into an encoder, in place, as all of it that is trained.

    Args:
        adapter: With its settings.
        encoder: Its own parameters are frozen.
        lowest: Number of the lowest layer that is adapted.

    Raises:
        RecipeError: If the adapter does not fit the encoder or its settings match nothing in it.
    """
    check_fits(adapter, encoder)
    freeze(encoder, lowest)
    encoder.requires_grad_(False)
    return adapter.attach(encoder, lowest)


def check_fits(
    adapter: Adapter, encoder: nn.Module, others: tuple[str, ...] = ("probe", "full")
) -> None:
    """Refuse an adapter that has no place in an encoder.

    Args:
        adapter: With its settings.
        encoder: What it would go into.
        others: Methods without adapter that would do.

    Raises:
        RecipeError: If it has none; the methods that have are listed.
    """
    if not adapter.fits(encoder):
        able = [name for name, kind in ADAPTERS.items() if kind().fits(encoder)]
        raise RecipeError(
            f"fit.method: {name_of(adapter)!r} does not fit {type(encoder).__name__}; methods "
            f"that do: {', '.join([*able, *others])}"
        )


def trained(model: nn.Module) -> dict[str, Tensor]:
    """Copies of the parameters that are trained, by name."""
    return {
        name: parameter.detach().clone().contiguous()
        for name, parameter in model.named_parameters()
        if parameter.requires_grad
    }


def put(model: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Set the parameters that are trained, in place.

    Args:
        model: A network on the same base with the same adapter attached and not merged.
        tensors: What ``trained`` gave.

    Raises:
        ModelError: If names or shapes are others.
    """
    own = {name: each for name, each in model.named_parameters() if each.requires_grad}
    for name in own.keys() ^ tensors.keys():
        side = "lacks" if name in own else "has no place for"
        raise ModelError(f"adapter: the model {side} {name!r}; it was saved from another one")
    for name, parameter in own.items():
        if parameter.shape != tensors[name].shape:
            found, wanted = tuple(tensors[name].shape), tuple(parameter.shape)
            raise ModelError(f"adapter: {name} has shape {found}; the model's is {wanted}")
        with torch.no_grad():
            parameter.copy_(tensors[name])


def merge_saved(
    model: nn.Module,
    encoder: nn.Module,
    tensors: Mapping[str, Tensor],
    config: Mapping[str, Any],
    base: tuple[str, str],
) -> None:
    """Put an adapter that was saved onto its base, and merge it, in place.

    Args:
        model: The network that holds the encoder; ``tensors`` has its names.
        encoder: What the adapter goes into.
        tensors: What ``trained`` gave.
        config: What ``weights/config.json`` says.
        base: Name and fingerprint of the pretrained weights.

    Raises:
        ModelError: If the adapter was trained on other weights, or is unknown.
    """
    name, found = base
    if found != config["base_sha256"]:
        raise ModelError(
            f"weights/config.json: its adapter was trained on {config['model']!r}, whose weights "
            f"were others than those of {name!r}"
        )
    settings = dict(config["adapter"])
    method, lowest = settings.pop("method"), settings.pop("freeze")
    adapter = chosen(method, settings)
    if adapter is None:
        raise ModelError(f"weights/config.json: {method!r} is no adapter")
    attached = attach(adapter, encoder, lowest)
    for each, parameter in model.named_parameters():
        if each in tensors:  # a head beside the encoder is trained as well
            parameter.requires_grad_(True)
    put(model, tensors)
    attached.merge()


def fingerprint(encoder: nn.Module) -> str:
    """SHA-256 over the names and values of all parameters: which base an adapter belongs to."""
    hasher = hashlib.sha256()
    for name, parameter in encoder.named_parameters():
        hasher.update(f"{name} {tuple(parameter.shape)}".encode())
        hasher.update(parameter.detach().contiguous().numpy().data)
    return hasher.hexdigest()


def _refusal(method: str, name: str, takes: list[str]) -> str:
    """Why a setting is refused, and what would be taken."""
    if method in ADAPTERS:
        return f"{method} does not take it; it takes: {', '.join(takes)}"
    able = [
        each
        for each, kind in ADAPTERS.items()
        if name in {field.name for field in fields(kind)}  # type: ignore[arg-type]
    ]
    return f"fit.method: {method} takes no adapter; methods that take it: {', '.join(able)}"
