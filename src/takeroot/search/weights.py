"""What a bundle keeps to train further: a network's weights, or those of an adapter alone.

``weights/config.json`` names the pretrained model. With ``weights/model.safetensors`` beside it,
all of the network is there. With ``weights/adapter.safetensors``, only what was trained is: the
adapter and the head, to be put on that model, whose weights' SHA-256 the file holds; so any number
of adapters share one base.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

from safetensors.torch import load, save

from takeroot.bundle import Bundle
from takeroot.bundle.manifest import canonical
from takeroot.bundle.weights import ADAPTER, CONFIG, WHOLE, weights_config
from takeroot.models.adapters.attach import fingerprint, merge_saved
from takeroot.models.load import Pretrained
from takeroot.models.text_model import TextModel
from takeroot.search import probe as probes
from takeroot.search.finetune import Tuned
from takeroot.search.work import Work
from takeroot.tasks import TASKS


def weight_files(work: Work, tuned: Tuned) -> dict[str, bytes]:
    """The files of ``weights/``, by their names in the bundle."""
    assert work.pretrained is not None
    config: dict[str, Any] = {"format": 1, "model": work.recipe.model}
    if tuned.adapter is None:
        state = {name: each.contiguous() for name, each in tuned.model.state_dict().items()}
        return {WHOLE: save(state), CONFIG: canonical(config)}
    config |= {
        "base_sha256": fingerprint(work.pretrained.encoder),
        "adapter": tuned.adapter.config(),
    }
    return {ADAPTER: save(dict(tuned.adapter.tensors)), CONFIG: canonical(config)}


def load_network(bundle: Bundle, pretrained: Pretrained) -> TextModel:
    """The network a bundle was made from, with its adapter merged.

    Args:
        bundle: With ``weights/``.
        pretrained: What ``weights/config.json`` names; it is copied, not changed.

    Raises:
        ModelError: If the bundle has no weights, or they belong on another model.
    """
    config = weights_config(bundle)
    spec = bundle.spec
    task = TASKS[spec.task](labels=spec.labels, name=spec.task)
    base = replace(pretrained, encoder=copy.deepcopy(pretrained.encoder))
    model = probes.build(base, task)
    if "adapter" not in config:
        model.load_state_dict(load(bundle.read(WHOLE)))
        return model
    owner = pretrained.name, fingerprint(pretrained.encoder)
    merge_saved(model, model.encoder, load(bundle.read(ADAPTER)), config, owner)
    return model
