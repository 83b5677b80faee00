"""Which encoders are taken, and what of their config.json reaches transformers.

A downloaded config is untrusted input: it may name code to run or files to fetch. So the values
that describe the network's shape are picked from it one by one, checked for type and range, and
everything else is left behind.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from takeroot.errors import ModelError


@dataclass(frozen=True)
class Architecture:
    """How one family of encoders is built.

    Args:
        model: Class in transformers.
        config: Its config class in transformers.
        prefix: What its weights' names start with in files saved with a head.
        position_offset: Position id of a text's first token.
        token_types: Whether two texts of a pair are told apart by token type ids.
        pooler: Whether the class takes ``add_pooling_layer``.
    """

    model: str
    config: str
    prefix: str
    position_offset: int = 0
    token_types: bool = True
    pooler: bool = True


ARCHITECTURES = {
    "bert": Architecture("BertModel", "BertConfig", "bert."),
    "electra": Architecture("ElectraModel", "ElectraConfig", "electra.", pooler=False),
    "ernie": Architecture("ErnieModel", "ErnieConfig", "ernie."),
    "roberta": Architecture("RobertaModel", "RobertaConfig", "roberta.", 2, token_types=False),
    "camembert": Architecture("CamembertModel", "CamembertConfig", "roberta.", 2, False),
    "xlm-roberta": Architecture("XLMRobertaModel", "XLMRobertaConfig", "roberta.", 2, False),
}

SIZES = {  # key: the largest value that is still a model this project is for
    "vocab_size": 1_000_000,
    "hidden_size": 8192,
    "embedding_size": 8192,
    "num_hidden_layers": 96,
    "num_attention_heads": 128,
    "intermediate_size": 65_536,
    "max_position_embeddings": 65_536,
    "type_vocab_size": 16,
    "task_type_vocab_size": 16,
}
ACTIVATIONS = ("gelu", "gelu_new", "relu", "gelu_pytorch_tanh")


def read_config(folder: Path) -> tuple[Architecture, dict[str, Any]]:
    """The architecture and the checked values of a model folder's config.json.

    Raises:
        ModelError: If the file is missing, not JSON, of an unknown architecture, asks for code,
            or a value is out of range.
    """
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModelError(f"{folder}: no config.json; give the folder of a saved encoder") from error
    except ValueError as error:
        raise ModelError(f"{path}: not JSON: {error}") from error
    kind = config.get("model_type") if isinstance(config, dict) else None
    if kind not in ARCHITECTURES:
        allowed = ", ".join(ARCHITECTURES)
        raise ModelError(f"{path}: model_type {kind!r} is not one of: {allowed}")
    if "auto_map" in config:
        raise ModelError(f"{path}: it asks for code of its own (auto_map); code is never loaded")
    values = {key: _size(path, key, config[key], top) for key, top in SIZES.items() if key in config}
    if config.get("hidden_act", "gelu") not in ACTIVATIONS:
        allowed = ", ".join(ACTIVATIONS)
        raise ModelError(f"{path}: hidden_act {config['hidden_act']!r} is not one of: {allowed}")
    values["hidden_act"] = config.get("hidden_act", "gelu")
    values["layer_norm_eps"] = float(config.get("layer_norm_eps", 1e-12))
    for key in ("pad_token_id", "bos_token_id", "eos_token_id"):
        if isinstance(config.get(key), int):
            values[key] = config[key]
    return ARCHITECTURES[kind], values


def _size(path: Path, key: str, value: object, largest: int) -> int:
    """A checked size of the network."""
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= largest:
        raise ModelError(f"{path}: {key} must be a whole number from 1 to {largest}, got {value!r}")
    return value
