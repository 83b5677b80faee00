"""What a bundle that writes keeps to train further: all weights, or those of an adapter alone.

``weights/config.json`` names the pretrained model. ``weights/model.safetensors`` is the whole
network; ``weights/adapter.safetensors`` is what was trained of it, to be put on the pretrained
network whose SHA-256 the config holds.
"""

from __future__ import annotations

import copy
from typing import Any

from safetensors.torch import load, save
from torch import nn

from takeroot.bundle import Bundle
from takeroot.bundle.manifest import canonical
from takeroot.bundle.weights import ADAPTER, CONFIG, WHOLE, weights_config
from takeroot.generation.objective import Writer
from takeroot.generation.training import Trained
from takeroot.models.adapters.attach import fingerprint, merge_saved
from takeroot.models.generator import PretrainedGenerator, put_weights


def weight_files(network: nn.Module, done: Trained, model: str, base: str) -> dict[str, bytes]:
    """The files of ``weights/``, by their names in the bundle.

    Args:
        network: Trained, its adapter merged.
        done: Its training.
        model: As the recipe names the pretrained one.
        base: The fingerprint of its weights.
    """
    config: dict[str, Any] = {"format": 1, "model": model}
    if done.adapter is not None:
        config |= {"base_sha256": base, "adapter": done.adapter.config()}
        return {ADAPTER: save(dict(done.adapter.tensors)), CONFIG: canonical(config)}
    own = {
        name: p.detach().contiguous() for name, p in network.named_parameters()
    }  # tied ones once
    return {WHOLE: save(own), CONFIG: canonical(config)}


def load_network(bundle: Bundle, pretrained: PretrainedGenerator) -> nn.Module:
    """The network a bundle was made from, with its adapter merged.

    Args:
        bundle: With ``weights/``.
        pretrained: What ``weights/config.json`` names; it is copied, not changed.

    Raises:
        ModelError: If the bundle has no weights, or they belong on another model.
    """
    config = weights_config(bundle)
    network = copy.deepcopy(pretrained.network)
    if "adapter" not in config:
        put_weights(network, load(bundle.read(WHOLE)), bundle.path)
        return network
    owner = pretrained.name, fingerprint(pretrained.network)
    merge_saved(Writer(network), network, load(bundle.read(ADAPTER)), config, owner)
    return network
