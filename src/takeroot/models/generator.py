"""Load a network that writes texts: from a packaged GGUF file, a folder, or (when allowed) a hub.

As with encoders, only safetensors, config.json and tokenizer files are opened. A GGUF file is
opened for the packaged model alone, whose hash is known, and read by transformers.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import redirect_stderr
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer
from torch import Tensor, nn

from takeroot.errors import ModelError, require
from takeroot.models.generator_config import GeneratorConfig, checked, read_generator_config
from takeroot.models.load import find_folder, load_tokenizer, read_weights
from takeroot.models.packaged import PACKAGED, known

MOST_TEMPLATE = 100_000  # characters of a chat template
HEAD = "lm_head.weight"


@dataclass(frozen=True)
class PretrainedGenerator:
    """A network that writes texts, with its tokenizer.

    Args:
        name: As the recipe names it.
        config: What it says of itself.
        network: Gives ``logits``; its parameters are in float32.
        tokenizer: Without padding or truncation.
        template: Its chat template (Jinja), or None.
        special: Special tokens by what they are for, such as ``bos_token``.
    """

    name: str
    config: GeneratorConfig
    network: nn.Module
    tokenizer: Tokenizer
    template: str | None
    special: dict[str, str]

    @property
    def tokenizer_json(self) -> bytes:
        """The tokenizer as the bundle keeps it."""
        return str(self.tokenizer.to_str()).encode()

    def tokens(self, ids: tuple[int, ...]) -> tuple[str, ...]:
        """The tokens with these ids."""
        return tuple(str(self.tokenizer.id_to_token(each)) for each in ids)


def load_generator(
    name: str,
    *,
    causal: bool,
    allow_download: bool = False,
    step: Callable[[int, int], None] = lambda done, total: None,
) -> PretrainedGenerator:
    """A pretrained network that writes texts, in evaluation mode.

    Args:
        name: A packaged model's name, a folder, or a hub id.
        causal: Whether it goes on with a text; else it reads one and writes another.
        allow_download: Whether a hub may be asked.
        step: Told how many steps of reading a packaged model, of how many, are done.

    Raises:
        ModelError: If it cannot be found, is of another kind, its weights are pickled, incomplete
            or of the wrong shape, or it has no tokenizer.
    """
    wanted = "causal" if causal else "encoder-decoder"
    if name in PACKAGED and PACKAGED[name].kind != wanted:
        there = known(wanted) or "none; give a folder, or scratch"
        raise ModelError(f"model: {name!r} is no {wanted} model; packaged ones: {there}")
    folder = find_folder(name, allow_download=allow_download)
    if name in PACKAGED:
        return _from_gguf(name, folder, step)
    config = read_generator_config(folder, causal=causal)
    tokenizer = load_tokenizer(folder)
    template, special = _tokenizer_settings(folder)
    _check(config, tokenizer, folder)
    network = build_network(config)
    put_weights(network, read_weights(folder), folder)
    return PretrainedGenerator(name, config, network.eval(), tokenizer, template, special)


def build_network(config: GeneratorConfig) -> nn.Module:
    """A network with random weights.

    NOTE: attention is ``eager``, as the encoders' is, and for the same reason.
    """
    values = getattr(transformers, config.family.config)(**config.values)
    values._attn_implementation = "eager"
    network: nn.Module = getattr(transformers, config.family.model)(values)
    return network


def _from_gguf(name: str, folder: Path, step: Callable[[int, int], None]) -> PretrainedGenerator:
    """A packaged model; transformers takes its file apart, which takes half a minute."""
    require("gguf", extra="generate")
    path = folder / PACKAGED[name].weights
    step(0, 2)
    try:
        with redirect_stderr(StringIO()):  # its bars would stand among ours
            reader = transformers.AutoTokenizer.from_pretrained(folder, gguf_file=path.name)
            step(1, 2)
            read: Any = transformers.AutoModelForCausalLM.from_pretrained(
                folder, gguf_file=path.name
            )
    except Exception as error:  # it raises many kinds for a file that is not as it should be
        raise ModelError(f"{path}: transformers cannot read it: {error}") from error
    step(2, 2)
    config = checked(path, read.config.to_dict(), causal=True)
    network = build_network(config)  # its own refuses to be saved and carries a quantised config
    network.load_state_dict(read.state_dict())
    tokenizer = Tokenizer.from_str(reader.backend_tokenizer.to_str())
    tokenizer.no_padding()
    tokenizer.no_truncation()
    special = {key: str(value) for key, value in reader.special_tokens_map.items()}
    template = reader.chat_template if isinstance(reader.chat_template, str) else None
    _check(config, tokenizer, path)
    return PretrainedGenerator(name, config, network.eval(), tokenizer, template, special)


def _tokenizer_settings(folder: Path) -> tuple[str | None, dict[str, str]]:
    """Chat template and special tokens of a folder."""
    values: dict[str, Any] = {}
    path, beside = folder / "tokenizer_config.json", folder / "chat_template.jinja"
    try:
        if path.is_file():
            values = json.loads(path.read_text(encoding="utf-8"))
        template = values.get("chat_template")
        if beside.is_file():
            template = beside.read_text(encoding="utf-8")
    except (ValueError, RecursionError, AttributeError) as error:
        raise ModelError(f"{path}: cannot be read: {error}") from error
    if isinstance(template, str) and len(template) > MOST_TEMPLATE:
        raise ModelError(f"{folder}: its chat template is longer than {MOST_TEMPLATE:,} characters")
    special = {}
    for key in ("bos_token", "eos_token", "pad_token", "unk_token"):
        value = values.get(key)
        value = value.get("content") if isinstance(value, dict) else value
        if isinstance(value, str):
            special[key] = value
    return template if isinstance(template, str) else None, special


def _check(config: GeneratorConfig, tokenizer: Tokenizer, where: Path) -> None:
    """Refuse parts that do not belong together.

    Raises:
        ModelError: If the tokenizer has more tokens than the network, or nothing ends an answer.
    """
    largest, values = max(tokenizer.get_vocab().values(), default=0), config.values
    if largest >= values["vocab_size"]:
        raise ModelError(
            f"{where}: the tokenizer has token id {largest}, "
            f"config.json says vocab_size {values['vocab_size']}"
        )
    if config.family.config == "MarianConfig" and values["pad_token_id"] != largest:
        raise ModelError(
            f"{where}: pad_token_id must be the last token, {largest}, got {values['pad_token_id']}"
        )
    if not config.ends:
        raise ModelError(f"{where}: eos_token_id is missing; it ends every answer")
    for each in config.ends:
        if tokenizer.id_to_token(each) is None:
            raise ModelError(f"{where}: eos_token_id {each} is no token of its tokenizer")


def put_weights(network: nn.Module, weights: dict[str, Tensor], folder: Path) -> None:
    """Copy the tensors the network has, in place.

    What is tied (the output layer to the embeddings) stands once in a file, or twice the same. An
    output layer that is another is one of its own, whatever config.json says, as in transformers.

    Raises:
        ModelError: If one is missing or of another shape.
    """
    _untie(network, weights)
    wanted = network.state_dict()
    by_place: dict[int, list[str]] = {}
    for name, tensor in wanted.items():
        by_place.setdefault(tensor.data_ptr(), []).append(name)
    made = {name for name, _ in network.named_buffers()}
    for names in by_place.values():
        found = next((name for name in names if name in weights), None)
        if found is None:
            if made.issuperset(names):  # such as fixed position encodings
                continue
            raise ModelError(f"{folder}: tensors are missing, first {names[0]!r}")
        if weights[found].shape != wanted[found].shape:
            shape, expected = tuple(weights[found].shape), tuple(wanted[found].shape)
            raise ModelError(f"{folder}: {found} has shape {shape}, config.json says {expected}")
        with torch.no_grad():
            wanted[found].copy_(weights[found])


def _untie(network: nn.Module, weights: dict[str, Tensor]) -> None:
    """Give the output layer a matrix of its own where a file has another one for it."""
    named = dict(network.named_parameters(remove_duplicate=False))
    head = named[HEAD]
    tied = [name for name, each in named.items() if each is head and name != HEAD]
    found = next((name for name in tied if name in weights), None)
    if HEAD in weights and found and not torch.equal(weights[HEAD], weights[found]):
        network.get_submodule("lm_head").weight = nn.Parameter(head.detach().clone())
        network.config.tie_word_embeddings = False  # type: ignore[union-attr]  # T5's says True
