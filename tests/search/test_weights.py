from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load as load_tensors

from takeroot.bundle import Bundle, open_bundle
from takeroot.bundle.runtimes import RUNTIMES
from takeroot.data import Example
from takeroot.errors import ModelError, RecipeError
from takeroot.models.adapters import ADAPTERS
from takeroot.models.load import load
from takeroot.recipe import from_dict
from takeroot.search.methods import check
from takeroot.search.weights import load_network
from takeroot.tasks import TASKS, encode_examples
from takeroot.train.outputs import network_outputs

Build = Callable[..., Any]


@pytest.fixture(scope="session")
def bundle_of(fit: Build) -> Callable[..., Bundle]:
    """The bundle of a fit by a method."""

    def build(method: str, task: str = "classify", **settings: Any) -> Bundle:
        run = fit(task, fit={"method": method, "epochs": 4, "learning_rate": 0.01, **settings})
        return open_bundle(run.bundle)

    return build


@pytest.mark.parametrize("method", ["probe", "full", *ADAPTERS])
def test_weights_give_back_the_network_that_is_served(
    method: str, bundle_of: Build, encoder_folder: Path, shop_examples: Build
) -> None:
    bundle, pretrained = bundle_of(method), load(str(encoder_folder))
    rows: list[Example] = shop_examples(12)
    task = TASKS["classify"](labels=bundle.spec.labels)
    encoded = encode_examples(task, pretrained.tokenizer, rows, bundle.spec.max_tokens)

    network = load_network(bundle, pretrained)

    served = RUNTIMES["onnx"](bundle.spec, bundle.read, threads=1).run([row.text for row in rows])
    found = network_outputs(network, encoded)
    np.testing.assert_allclose(found.logits, served.logits, atol=1e-4)


@pytest.mark.parametrize("task", ["multilabel", "pair", "tag"])
@pytest.mark.parametrize("method", ["lora", "prefix"])
def test_other_tasks_keep_their_adapters(
    method: str, task: str, bundle_of: Build, encoder_folder: Path
) -> None:
    bundle = bundle_of(method, task)

    network = load_network(bundle, load(str(encoder_folder)))

    assert network.pooled is (task != "tag")
    assert "weights/adapter.safetensors" in bundle.files


def test_an_adapter_is_kept_alone(bundle_of: Build) -> None:
    bundle = bundle_of("lora", adapter={"rank": 2, "targets": "query"})

    tensors = load_tensors(bundle.read("weights/adapter.safetensors"))
    config = json.loads(bundle.read("weights/config.json"))

    assert "weights/model.safetensors" not in bundle.files
    assert {name.split(".")[-1] for name in tensors if name.startswith("head.")} == {
        "weight",
        "bias",
    }
    assert sum(name.startswith("encoder.") for name in tensors) == 4  # A and B in two layers
    assert config["adapter"] == {
        **{"method": "lora", "rank": 2, "alpha": 16.0, "dropout": 0.0, "targets": "query"},
        "freeze": 0,
    }


def test_an_adapter_is_refused_on_another_base(bundle_of: Build, encoder_folder: Path) -> None:
    pretrained = load(str(encoder_folder))
    with torch.no_grad():
        next(pretrained.encoder.parameters()).add_(1.0)

    with pytest.raises(ModelError, match=r"its adapter was trained on .*whose weights were others"):
        load_network(bundle_of("lora"), pretrained)


def test_a_bundle_without_weights_says_so(fit: Build, encoder_folder: Path) -> None:
    settings = {"fit": {"method": "probe"}, "output": {"weights": False}}
    bundle = open_bundle(fit(**settings).bundle)

    with pytest.raises(ModelError, match=r"output\.weights: false"):
        load_network(bundle, load(str(encoder_folder)))


def test_frozen_layers_are_served_as_they_were(bundle_of: Build, encoder_folder: Path) -> None:
    bundle, base = bundle_of("full", freeze=1), load(str(encoder_folder)).encoder.state_dict()

    tensors = load_tensors(bundle.read("weights/model.safetensors"))

    same = {n for n, each in base.items() if torch.equal(each, tensors[f"encoder.{n}"])}
    assert {
        name.split(".")[2] for name in base if name.startswith("encoder.") and name in same
    } == {"0"}
    assert any(name.startswith("embeddings.") for name in same)


def test_settings_of_another_method_are_refused_before_anything_is_read(fit: Build) -> None:
    with pytest.raises(RecipeError, match=r"fit.adapter.tokens: lora does not take it"):
        fit(fit={"method": "lora", "adapter": {"tokens": 3}})
    with pytest.raises(RecipeError, match=r"fit.freeze: .*probe does not take it; .* full, lora"):
        fit(fit={"method": "probe", "freeze": 1})
    with pytest.raises(RecipeError, match=r"fit.freeze: .*data.unlabelled trains every layer"):
        check(from_dict({"fit": {"freeze": 1}, "data": {"unlabelled": "texts.csv"}}))


def test_a_setting_that_nothing_tried_would_take_is_refused(fit: Build) -> None:
    with pytest.raises(RecipeError, match=r"fit.freeze: .*no network here \(fit.preset: fast"):
        fit(fit={"preset": "fast", "freeze": 1})
