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
    "num_hidden_layers": 96,
    "num_attention_heads": 128,
    "intermediate_size": 65_536,
    "max_position_embeddings": 65_536,
}
OPTIONAL_SIZES = {"embedding_size": 8192, "type_vocab_size": 16, "task_type_vocab_size": 16}
ACTIVATIONS = ("gelu", "gelu_new", "relu", "gelu_pytorch_tanh")


def read_config(folder: Path) -> tuple[Architecture, dict[str, Any]]:
    """The architecture and the checked values of a model folder's config.json.

    Raises:
        ModelError: If the file is missing, not JSON, of an unknown architecture, asks for code,
            or a value is out of range.
    """
    path = folder / "config.json"
    config = read_object(path)
    architecture = ARCHITECTURES[one_of(path, config, "model_type", tuple(ARCHITECTURES))]
    if "auto_map" in config:
        raise ModelError(f"{path}: it asks for code of its own (auto_map); code is never loaded")
    one_of(path, config, "position_embedding_type", ("absolute",), "absolute")
    sizes = SIZES | {key: top for key, top in OPTIONAL_SIZES.items() if key in config}
    values: dict[str, Any] = {key: size_of(path, key, config, top) for key, top in sizes.items()}
    if values["hidden_size"] % values["num_attention_heads"]:
        raise ModelError(
            f"{path}: hidden_size {values['hidden_size']} cannot be divided among "
            f"num_attention_heads {values['num_attention_heads']}"
        )
    values["hidden_act"] = one_of(path, config, "hidden_act", ACTIVATIONS, "gelu")
    values["layer_norm_eps"] = epsilon(path, config)
    if architecture.position_offset:  # positions are counted from after the padding token's id
        padding = architecture.position_offset - 1
        values["pad_token_id"] = one_of(path, config, "pad_token_id", (padding,), padding)
    if config.get("use_task_id") is True:  # ernie: another embedding, added to every token
        values["use_task_id"] = True
    return architecture, values


def read_object(path: Path) -> dict[str, Any]:
    """The file's JSON object."""
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModelError(
            f"{path.parent}: no config.json; give the folder of a saved model"
        ) from error
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path}: not JSON: {error}") from error
    if not isinstance(config, dict):
        raise ModelError(f"{path}: must hold a JSON object, got {config!r:.80}")
    return config


def one_of(
    path: Path, config: dict[str, Any], key: str, allowed: tuple[Any, ...], default: Any = None
) -> Any:
    """A value out of a few; one that is absent or null is the default."""
    value = default if config.get(key) is None else config[key]
    if value not in allowed:
        shown = ", ".join(str(each) for each in allowed)
        raise ModelError(f"{path}: {key} {value!r} is not one of: {shown}")
    return value


def epsilon(
    path: Path, config: dict[str, Any], key: str = "layer_norm_eps", default: float = 1e-12
) -> float:
    """What layer norms add to the variance."""
    value = config.get(key, default)
    if not isinstance(value, float) or not 0 < value < 1:  # NaN is in no range
        raise ModelError(f"{path}: {key} must be above 0 and below 1, got {value!r}")
    return value


def size_of(path: Path, key: str, config: dict[str, Any], largest: int) -> int:
    """A checked size of the network."""
    value = config.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= largest:
        raise ModelError(f"{path}: {key} must be a whole number from 1 to {largest}, got {value!r}")
    return value
