"""Networks that write are loaded from folders, checked value by value."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from folders import CAUSAL, FAMILIES, model_folder

from takeroot.errors import ModelError
from takeroot.models import locate
from takeroot.models.generator import load_generator

IDS = torch.tensor([[4, 5, 6, 7]])


@pytest.mark.parametrize("family", FAMILIES)
def test_a_folder_gives_the_network_that_was_saved(family: str, tmp_path: Path) -> None:
    causal = family in CAUSAL
    made = load_generator(str(model_folder(tmp_path / "model", family)), causal=causal)

    more = {} if causal else {"decoder_input_ids": IDS}
    with torch.inference_mode():
        found, wanted = (
            each(input_ids=IDS, **more).logits for each in (made.network, FAMILIES[family][0]())
        )
    torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)  # another attention sums them


REFUSED = {
    r"auto_map\); code is never loaded": {"auto_map": {"AutoModel": "x.Y"}},
    "rope_type 'yarn' is not one of: default": {"rope_parameters": {"rope_type": "yarn"}},
    "attention_bias True is not one of: False": {"attention_bias": True},
    "vocab_size must be a whole number from 1": {"vocab_size": -1},
    "config.json says vocab_size 100": {"vocab_size": 100},
    "eos_token_id must be from 0 to": {"eos_token_id": 10**9},
    "eos_token_id is missing": {"eos_token_id": None},
    "cannot be divided among": {"num_key_value_heads": 3},
    "rms_norm_eps must be above 0": {"rms_norm_eps": 2.0},
    "has shape .* config.json says": {"intermediate_size": 32},
    "tensors are missing, first": {"num_hidden_layers": 3},
    "model_type 't5' is not one of: llama, qwen2": {"model_type": "t5"},
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_does_not_fit_is_refused(message: str, tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "model", **REFUSED[message])

    with pytest.raises(ModelError, match=message):
        load_generator(str(folder), causal=True)


def test_more_ends_are_read_from_the_generation_config(tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "model")
    beside = {"eos_token_id": [2, 0]}
    (folder / "generation_config.json").write_text(json.dumps(beside), encoding="utf-8")

    assert load_generator(str(folder), causal=True).config.ends == (2, 0)


def test_pickled_weights_are_refused(tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "model")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")

    with pytest.raises(ModelError, match="pickled weights can run code"):
        load_generator(str(folder), causal=True)


@pytest.mark.slow
@pytest.mark.skipif(locate("smollm2-135m") is None, reason="smollm2-135m is not installed")
def test_the_packaged_causal_model_loads() -> None:
    made = load_generator("smollm2-135m", causal=True)

    ids = torch.tensor([made.tokenizer.encode("The capital of France is").ids])
    with torch.inference_mode():
        found = int(made.network(input_ids=ids).logits[0, -1].argmax())
    assert made.tokenizer.id_to_token(found) == "ĠParis"
    assert made.tokens(made.config.ends) == ("<|im_end|>",)
    assert made.template is not None
