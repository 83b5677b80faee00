"""Load a pretrained encoder from a packaged model, a folder, or (when allowed) a model hub.

Only safetensors, config.json and tokenizer files are ever opened. Weights in pickle format are
refused: reading them can run code.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors.torch import load_file
from tokenizers import Tokenizer
from tokenizers.implementations.bert_wordpiece import BertWordPieceTokenizer
from torch import nn

from takeroot.errors import ModelError, require
from takeroot.models.config import Architecture, read_config
from takeroot.models.packaged import PACKAGED, known, locate

WANTED = (
    "config.json",
    "model*.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.txt",
)
PICKLED = ("pytorch_model.bin", "model.pt", "model.pth", "model.ckpt")


@dataclass(frozen=True)
class Pretrained:
    """An encoder with its tokenizer.

    Args:
        name: As the recipe names it.
        folder: Where its files are.
        architecture: How it is built.
        config: The checked values of its config.json.
        encoder: Gives ``last_hidden_state`` (B, T, H).
        tokenizer: Without padding or truncation.
    """

    name: str
    folder: Path
    architecture: Architecture
    config: dict[str, Any]
    encoder: nn.Module
    tokenizer: Tokenizer

    @property
    def hidden_size(self) -> int:
        """H."""
        return int(self.config["hidden_size"])

    @property
    def tokenizer_json(self) -> bytes:
        """The tokenizer as the bundle keeps it."""
        plain = Tokenizer.from_str(self.tokenizer.to_str())
        plain.no_padding()
        plain.no_truncation()
        return str(plain.to_str()).encode()

    @property
    def max_tokens(self) -> int:
        """The longest text it has positions for, special tokens included."""
        return int(self.config["max_position_embeddings"]) - self.architecture.position_offset


def find_folder(name: str, *, allow_download: bool = False) -> Path:
    """The folder of a model's files.

    Args:
        name: A packaged model's name, a folder, or a hub id such as ``google-bert/bert-base``.
        allow_download: Whether a hub may be asked.

    Raises:
        ModelError: If it is none of these, not installed, or may not be downloaded.
    """
    if name in PACKAGED:
        folder = locate(name)
        if folder is None:
            raise ModelError(f"model: {name!r} is not installed; {_how_to_install(name)}")
        _check_weights(name, folder / PACKAGED[name].weights)
        return folder
    if Path(name).is_dir():
        return Path(name)
    if name.count("/") != 1 or name.startswith((".", "/", "~")):
        raise ModelError(f"model: {name!r} is neither a packaged model ({known()}) nor a folder")
    if not allow_download:
        raise ModelError(
            f"model: {name!r} is neither a packaged model ({known()}) nor a folder; "
            "if it is a hub id, add --allow-download"
        )
    return _download(name)


def load(name: str, *, allow_download: bool = False) -> Pretrained:
    """A pretrained encoder in float32, in evaluation mode.

    Raises:
        ModelError: If it cannot be found, is of an unknown architecture, its weights are pickled,
            incomplete or of the wrong shape, or it has no tokenizer.
    """
    if name in PACKAGED and PACKAGED[name].kind != "encoder":
        raise ModelError(
            f"model: {name!r} writes texts, for task generate; packaged encoders: "
            f"{known('encoder')}"
        )
    folder = find_folder(name, allow_download=allow_download)
    architecture, config = read_config(folder)
    tokenizer = load_tokenizer(folder)
    largest = max(tokenizer.get_vocab().values(), default=0)
    if largest >= config["vocab_size"]:
        raise ModelError(
            f"{folder}: the tokenizer has token id {largest}, "
            f"config.json says vocab_size {config['vocab_size']}"
        )
    weights = read_weights(folder)
    encoder = build_encoder(architecture, config)
    _load_weights(encoder, weights, architecture, folder)
    return Pretrained(name, folder, architecture, config, encoder.eval(), tokenizer)


def load_tokenizer(folder: Path) -> Tokenizer:
    """The folder's tokenizer, without padding and truncation.

    Raises:
        ModelError: If there is neither tokenizer.json nor vocab.txt, or it cannot be read.
    """
    whole, vocabulary = folder / "tokenizer.json", folder / "vocab.txt"
    file = whole if whole.is_file() else vocabulary
    if not file.is_file():
        raise ModelError(f"{folder}: no tokenizer.json or vocab.txt")
    try:
        tokenizer = Tokenizer.from_file(str(file)) if file is whole else _from_vocabulary(file)
    except Exception as error:  # tokenizers raises one untyped error for every fault
        raise ModelError(f"{file}: not a tokenizer: {error}") from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def _from_vocabulary(path: Path) -> Tokenizer:
    """A BERT WordPiece tokenizer from vocab.txt, as older Chinese models ship it."""
    settings: dict[str, Any] = {}
    beside = path.parent / "tokenizer_config.json"
    if beside.is_file():
        settings = json.loads(beside.read_text(encoding="utf-8"))
    lowercase = bool(settings.get("do_lower_case", True))
    wordpiece = BertWordPieceTokenizer(str(path), lowercase=lowercase)
    return Tokenizer.from_str(wordpiece.to_str())


def _download(name: str) -> Path:
    """The folder of a hub model's files, fetched where they are not there yet."""
    hub = require("huggingface_hub", extra="train")
    try:
        return Path(hub.snapshot_download(name, allow_patterns=list(WANTED)))
    except (OSError, ValueError, hub.errors.HfHubHTTPError) as error:
        reason = (str(error).splitlines() or ["no message"])[0]
        raise ModelError(f"model: {name!r} cannot be downloaded: {reason}") from error


def _check_weights(name: str, path: Path) -> None:
    """Refuse a packaged model whose weights are missing or not the pinned ones."""
    if not path.is_file():
        raise ModelError(f"{path}: is missing; {_how_to_install(name)}")
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != PACKAGED[name].sha256:
        expected = PACKAGED[name].sha256
        raise ModelError(f"{path}: sha256 is {found}, not {expected}; {_how_to_install(name)}")


def _how_to_install(name: str) -> str:
    """The end of a message about a packaged model that cannot be used."""
    return f"run: takeroot models install {name}"


def build_encoder(architecture: Architecture, config: dict[str, Any]) -> nn.Module:
    """An encoder with random weights.

    NOTE: attention is ``eager``: the fused CPU kernel's backward pass takes four times as long on
    short texts (docs/benchmarks.md), and the plain operators export to ONNX one to one.
    """
    values = getattr(transformers, architecture.config)(**config)
    values._attn_implementation = "eager"
    kind = getattr(transformers, architecture.model)
    encoder: nn.Module = (
        kind(values, add_pooling_layer=False) if architecture.pooler else kind(values)
    )
    return encoder


def read_weights(folder: Path) -> dict[str, torch.Tensor]:
    """All tensors of model.safetensors or, where there is none, of the parts it was cut into.

    Raises:
        ModelError: If there is no such file, or only pickled ones.
    """
    files = weight_files(folder)
    if not files:
        pickled = [name for name in PICKLED if (folder / name).exists()]
        if pickled:
            raise ModelError(
                f"{folder / pickled[0]}: pickled weights can run code and are never read; convert "
                'them where you trust them: python -c "import torch, safetensors.torch as s; '
                f"s.save_file(torch.load('{pickled[0]}', weights_only=True), 'model.safetensors')\""
            )
        raise ModelError(f"{folder}: no model.safetensors")
    weights: dict[str, torch.Tensor] = {}
    for file in files:
        try:
            weights.update(load_file(file))
        except Exception as error:  # safetensors raises one untyped error for every fault
            raise ModelError(f"{file}: not a safetensors file: {error}") from error
    return weights


def weight_files(folder: Path) -> list[Path]:
    """model.safetensors or, where there is none, the parts it was cut into."""
    whole = folder / "model.safetensors"
    return [whole] if whole.is_file() else sorted(folder.glob("model-*.safetensors"))


def _load_weights(
    encoder: nn.Module, weights: dict[str, torch.Tensor], architecture: Architecture, folder: Path
) -> None:
    """Copy the tensors the encoder has; refuse what is missing or of another shape."""
    named = {
        current_name(name.removeprefix(architecture.prefix)): tensor.float()
        for name, tensor in weights.items()
    }
    wanted = encoder.state_dict()
    buffers = {name for name, _ in encoder.named_buffers()}
    missing = [name for name in wanted if name not in named and name not in buffers]
    if missing:
        raise ModelError(f"{folder}: {len(missing)} tensors are missing, first {missing[0]!r}")
    for name, tensor in wanted.items():
        if name in named and named[name].shape != tensor.shape:
            found, expected = tuple(named[name].shape), tuple(tensor.shape)
            raise ModelError(f"{folder}: {name} has shape {found}, config.json says {expected}")
    encoder.load_state_dict({name: named[name] for name in wanted if name in named}, strict=False)


def current_name(name: str) -> str:
    """A tensor's name; the first BERT files call a layer norm's weight gamma and its bias beta."""
    return name.replace("LayerNorm.gamma", "LayerNorm.weight").replace(
        "LayerNorm.beta", "LayerNorm.bias"
    )
