"""Which networks that write texts are taken, and what of their config.json reaches transformers.

As in ``config``, a downloaded config is untrusted: the values that describe the network's shape are
picked from it one by one and checked, and everything else is left behind. A value that CTranslate2
would compute otherwise than transformers is refused here, before anything is trained.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from takeroot.errors import ModelError
from takeroot.models.config import epsilon, one_of, read_object, size_of

ENDS = 8  # tokens that may end an answer
MOST_ROPE = 1e9


@dataclass(frozen=True)
class Family:
    """How one family is built.

    Args:
        model: Class in transformers.
        config: Its config class.
        causal: Whether it goes on with a text; else it reads one and writes another.
        sizes: Needed sizes and the largest value of each that is still for this project.
        optional: Sizes that may be absent.
        choices: Other values: what is allowed, the default first.
        epsilon: Key of what norms add to the variance, and its default.
        rotary: Whether positions are rotations.
    """

    model: str
    config: str
    causal: bool
    sizes: Mapping[str, int]
    optional: Mapping[str, int] = field(default_factory=dict)
    choices: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    epsilon: tuple[str, float] | None = None
    rotary: bool = False


LLAMA_SIZES = {
    "vocab_size": 1_000_000,
    "hidden_size": 8192,
    "num_hidden_layers": 96,
    "num_attention_heads": 128,
    "intermediate_size": 65_536,
    "max_position_embeddings": 1_048_576,
}
LLAMA_OPTIONAL = {"num_key_value_heads": 128, "head_dim": 1024}
PAIR_SIZES = {
    "vocab_size": 1_000_000,
    "d_model": 8192,
    "encoder_layers": 96,
    "decoder_layers": 96,
    "encoder_attention_heads": 128,
    "decoder_attention_heads": 128,
    "encoder_ffn_dim": 65_536,
    "decoder_ffn_dim": 65_536,
    "max_position_embeddings": 65_536,
}
T5_SIZES = {
    "vocab_size": 1_000_000,
    "d_model": 8192,
    "d_kv": 1024,
    "d_ff": 65_536,
    "num_layers": 96,
    "num_heads": 128,
}
T5_OPTIONAL = {
    "num_decoder_layers": 96,
    "relative_attention_num_buckets": 1024,
    "relative_attention_max_distance": 65_536,
}
PLAIN = {"hidden_act": ("silu",), "tie_word_embeddings": (False, True)}
ACTIVATIONS = ("gelu", "relu", "swish", "silu")

FAMILIES = {
    "llama": Family(
        "LlamaForCausalLM",
        "LlamaConfig",
        True,
        LLAMA_SIZES,
        LLAMA_OPTIONAL,
        {**PLAIN, "attention_bias": (False,), "mlp_bias": (False,)},
        ("rms_norm_eps", 1e-6),
        rotary=True,
    ),
    "qwen2": Family(
        "Qwen2ForCausalLM",
        "Qwen2Config",
        True,
        LLAMA_SIZES,
        {"num_key_value_heads": 128},
        {**PLAIN, "use_sliding_window": (False,)},
        ("rms_norm_eps", 1e-6),
        rotary=True,
    ),
    "t5": Family(
        "T5ForConditionalGeneration",
        "T5Config",
        False,
        T5_SIZES,
        T5_OPTIONAL,
        {"feed_forward_proj": ("relu", "gated-gelu"), "tie_word_embeddings": (True, False)},
        ("layer_norm_epsilon", 1e-6),
    ),
    "bart": Family(
        "BartForConditionalGeneration",
        "BartConfig",
        False,
        PAIR_SIZES,
        {},
        {
            "activation_function": ACTIVATIONS,
            "scale_embedding": (False, True),
            "normalize_before": (False,),
            "normalize_embedding": (True,),
        },
    ),
    "marian": Family(
        "MarianMTModel",
        "MarianConfig",
        False,
        PAIR_SIZES,
        {},
        {
            "activation_function": ACTIVATIONS,
            "scale_embedding": (False, True),
            "share_encoder_decoder_embeddings": (True,),
            "static_position_embeddings": (True,),
        },
    ),
}


@dataclass(frozen=True)
class GeneratorConfig:
    """What a model folder says of its network.

    Args:
        family: How it is built.
        values: Keyword arguments of its config class.
        ends: Ids of the tokens that end an answer.
        start: Id of the token that the answer of an encoder-decoder begins after, or None.
    """

    family: Family
    values: dict[str, Any]
    ends: tuple[int, ...]
    start: int | None = None

    @property
    def max_tokens(self) -> int | None:
        """The longest text it has positions for; None where positions are relative."""
        found = self.values.get("max_position_embeddings")
        return None if found is None else int(found)


def read_generator_config(folder: Path, *, causal: bool) -> GeneratorConfig:
    """The checked config.json of a folder.

    Args:
        folder: The model's.
        causal: Which kind is wanted.

    Raises:
        ModelError: If the file is missing, not JSON, of another architecture, asks for code, or a
            value is out of range.
    """
    path = folder / "config.json"
    return checked(path, read_object(path), causal=causal)


def checked(path: Path, config: dict[str, Any], *, causal: bool) -> GeneratorConfig:
    """The config with these values; ``path`` is named in errors."""
    if "auto_map" in config:
        raise ModelError(f"{path}: it asks for code of its own (auto_map); code is never loaded")
    fitting = tuple(name for name, each in FAMILIES.items() if each.causal == causal)
    family = FAMILIES[one_of(path, config, "model_type", fitting)]
    sizes = {**family.sizes, **{k: v for k, v in family.optional.items() if config.get(k)}}
    values: dict[str, Any] = {key: size_of(path, key, config, top) for key, top in sizes.items()}
    for key, allowed in family.choices.items():
        values[key] = one_of(path, config, key, allowed, allowed[0])
    if family.epsilon is not None:
        values[family.epsilon[0]] = epsilon(path, config, *family.epsilon)
    if family.rotary:
        values["rope_parameters"] = _rotary(path, config)
    if config.get("scale_decoder_outputs") is False:  # how transformers 5 saves T5 1.1
        values["tie_word_embeddings"] = False
    _check_heads(path, values)
    for key in ("pad_token_id", "bos_token_id", "decoder_start_token_id"):
        values[key] = _token_id(path, key, config.get(key), values["vocab_size"])
    ends = _ends(path, config, values["vocab_size"])
    values["eos_token_id"] = ends[0] if ends else None
    start = None if causal else _start(path, values)
    return GeneratorConfig(family, values, ends, start)


def _rotary(path: Path, config: dict[str, Any]) -> dict[str, Any]:
    """How positions are rotated; only the plain way, which CTranslate2 computes the same."""
    given = config.get("rope_parameters") or config.get("rope_scaling") or {}
    kind = given.get("rope_type") or given.get("type") or "default"
    if kind != "default":
        raise ModelError(f"{path}: rope_type {kind!r} is not one of: default")
    theta = given.get("rope_theta") or config.get("rope_theta") or 10_000.0
    if isinstance(theta, bool) or not isinstance(theta, int | float) or not 1 < theta <= MOST_ROPE:
        raise ModelError(f"{path}: rope_theta must be above 1 and at most 1e9, got {theta!r}")
    return {"rope_type": "default", "rope_theta": float(theta)}


def _check_heads(path: Path, values: dict[str, Any]) -> None:
    """Refuse widths that heads do not divide."""
    pairs = [("hidden_size", "num_attention_heads"), ("num_attention_heads", "num_key_value_heads")]
    pairs += [("d_model", "encoder_attention_heads"), ("d_model", "decoder_attention_heads")]
    for whole, part in pairs:
        free = whole == "hidden_size" and "head_dim" in values
        if whole in values and part in values and values[whole] % values[part] and not free:
            raise ModelError(
                f"{path}: {whole} {values[whole]} cannot be divided among {part} {values[part]}"
            )


def _token_id(path: Path, key: str, value: Any, vocabulary: int) -> int | None:
    """A token's id, or None."""
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < vocabulary:
        raise ModelError(f"{path}: {key} must be from 0 to {vocabulary - 1}, got {value!r}")
    return value


def _ends(path: Path, config: dict[str, Any], vocabulary: int) -> tuple[int, ...]:
    """The ids that end an answer: those of config.json, and of generation_config.json beside it."""
    beside = path.with_name("generation_config.json")
    found: list[int] = []
    sources = [(path, config), *([(beside, read_object(beside))] if beside.is_file() else [])]
    for where, values in sources:
        given = values.get("eos_token_id")
        for each in given if isinstance(given, list) else [given]:
            number = _token_id(where, "eos_token_id", each, vocabulary)
            found += [] if number is None or number in found else [number]
    if len(found) > ENDS:
        raise ModelError(f"{path}: {len(found)} eos_token_id; at most {ENDS} are taken")
    return tuple(found)


def _start(path: Path, values: dict[str, Any]) -> int:
    """The id an encoder-decoder's answer begins after."""
    start = values["decoder_start_token_id"]
    if start is None:
        start = values["pad_token_id"]
    if start is None:
        raise ModelError(f"{path}: decoder_start_token_id is missing; it begins every answer")
    values["decoder_start_token_id"] = start
    return int(start)
