from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from takeroot.errors import ModelError
from takeroot.models.config import ARCHITECTURES, read_config

Config = Callable[..., dict[str, Any]]


def write(folder: Path, content: Any) -> Path:
    text = content if isinstance(content, str) else json.dumps(content)
    (folder / "config.json").write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_every_family_is_read(kind: str, tmp_path: Path, tiny_config: Config):
    architecture, values = read_config(write(tmp_path, tiny_config(kind)))

    assert architecture is ARCHITECTURES[kind]
    assert values["hidden_size"] == 32


def test_keys_outside_the_list_are_left_behind(tmp_path: Path, tiny_config: Config):
    config = tiny_config(attn_implementation="x", _name_or_path="http://x", is_decoder=True)

    _, values = read_config(write(tmp_path, config))

    assert not {"attn_implementation", "_name_or_path", "is_decoder"} & set(values)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"auto_map": {"AutoModel": "code.Model"}}, "auto_map.*code is never loaded"),
        ({"model_type": "gpt2"}, "model_type 'gpt2' is not one of: bert, electra"),
        ({"model_type": ["bert"]}, "model_type"),
        ({"hidden_size": 8193}, "hidden_size must be a whole number from 1 to 8192, got 8193"),
        ({"num_hidden_layers": 0}, "num_hidden_layers .* got 0"),
        ({"vocab_size": "30522"}, "vocab_size .* got '30522'"),
        ({"intermediate_size": True}, "intermediate_size .* got True"),
        ({"max_position_embeddings": None}, "max_position_embeddings .* got None"),
        ({"type_vocab_size": -1}, "type_vocab_size"),
        ({"num_attention_heads": 3}, "hidden_size 32 cannot be divided .* num_attention_heads 3"),
        ({"hidden_act": "swish"}, "hidden_act 'swish' is not one of: gelu"),
        ({"layer_norm_eps": float("nan")}, "layer_norm_eps must be above 0"),
        ({"layer_norm_eps": "1e-12"}, "layer_norm_eps"),
        ({"position_embedding_type": "relative_key"}, "'relative_key' is not one of: absolute"),
    ],
)
def test_a_value_that_is_not_allowed_is_refused(
    changes: dict[str, Any], message: str, tmp_path: Path, tiny_config: Config
):
    with pytest.raises(ModelError, match=message):
        read_config(write(tmp_path, tiny_config(**changes)))


def test_positions_that_do_not_follow_the_padding_token_are_refused(
    tmp_path: Path, tiny_config: Config
):
    with pytest.raises(ModelError, match="pad_token_id 0 is not one of: 1"):
        read_config(write(tmp_path, tiny_config("roberta", pad_token_id=0)))


@pytest.mark.parametrize("content", ["{", "[" * 100_000, "\x00"])
def test_what_is_not_json_is_refused(content: str, tmp_path: Path):
    with pytest.raises(ModelError, match=r"config\.json: not JSON"):
        read_config(write(tmp_path, content))


def test_json_that_is_no_object_is_refused(tmp_path: Path):
    with pytest.raises(ModelError, match=r"must hold a JSON object, got \[1\]"):
        read_config(write(tmp_path, [1]))


def test_a_folder_without_config_says_what_to_give(tmp_path: Path):
    with pytest.raises(ModelError, match=r"no config\.json; give the folder of a saved model"):
        read_config(tmp_path)
