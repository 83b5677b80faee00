"""Small real things that any test may use: a bundle of three labels, and random networks.

torch is imported where a network is asked for, so that the tests of what serves run without it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import writers
from hypothesis import settings
from safetensors.numpy import save
from tokenizers import Tokenizer
from tokenizers.implementations import BertWordPieceTokenizer

from takeroot.bundle import BundleWriter, Spec
from takeroot.bundle.features import NgramFeatures

# The same examples in every run, and no deadline: a busy machine is no error.
settings.register_profile("takeroot", deadline=None, derandomize=True)
settings.load_profile("takeroot")

SHOP = {
    "refund": ["i want my money back", "please refund my order", "refund me now"],
    "delivery": ["where is my parcel", "the parcel has not arrived", "when does delivery come"],
    "account": ["i forgot my password", "my login does not work", "reset my password please"],
}


@pytest.fixture(scope="session")
def shop_rows() -> list[dict[str, str]]:
    """The bundle's training rows, which it gets right."""
    return [{"text": text, "intent": intent} for intent in SHOP for text in SHOP[intent]]


@pytest.fixture(scope="session")
def shop_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder's bundle whose weights are each class's mean TF-IDF vector."""
    folder = tmp_path_factory.mktemp("run") / "bundle"
    features = NgramFeatures.fit([text for texts in SHOP.values() for text in texts], 2000)
    arrays = {
        "coef": np.stack([_mean(features, texts) for texts in SHOP.values()], axis=1) * 20,
        "intercept": np.zeros(len(SHOP), np.float32),
        "idf": features.idf,
    }
    arrays["coef"] = arrays["coef"].astype(np.float16)
    columns = {"text": "text", "second": None, "label": "intent"}
    spec = Spec.model_validate(
        {"name": "shop", "task": "classify", "labels": tuple(SHOP), "runtime": "linear"}
        | {"input": columns, "abstention": {"method": "max_softmax", "threshold": 0.5}}
    )
    with BundleWriter(folder, created="2025-01-01T00:00:00Z") as writer:
        writer.write_spec(spec)
        writer.write_json("features.json", features.to_json())
        writer.write_bytes("linear.safetensors", save(arrays))
        writer.write_bytes("report.html", b"<!doctype html>")
    return folder


def _mean(features: NgramFeatures, texts: list[str]) -> np.ndarray:
    rows = features.transform(texts)
    mean = np.zeros(rows.n_features, np.float32)
    np.add.at(mean, rows.indices, rows.data / len(texts))
    return mean


LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
WORDS = ["my", "card", "is", "lost", "where", "change", "the", "pin", "please", "help", "refund"]
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *LETTERS, *(f"##{c}" for c in LETTERS)]
VOCABULARY += [*WORDS, *"我的卡丢了在哪里，。.,!?", *(f"[unused{k}]" for k in range(50))]


@pytest.fixture(scope="session")
def talk_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of a tiny random Llama that answers chats (generate) with noise."""
    folder, tokenizer = tmp_path_factory.mktemp("talk"), writers.byte_tokenizer()
    files = writers.convert(writers.llama(), tokenizer, folder)
    return writers.write_bundle(folder / "bundle", files, tokenizer, writers.generate_spec())


@pytest.fixture(scope="session")
def endless_bundle(tmp_path_factory: pytest.TempPathFactory, talk_bundle: Path) -> Path:
    """The Llama again, as a model that never ends a text."""
    folder, how = tmp_path_factory.mktemp("endless"), {"end": ("<|endoftext|>",)}
    spec = writers.generate_spec(name="endless", generation={**how, "max_new_tokens": 60_000})
    files = talk_bundle.parent / "ct2"
    return writers.write_bundle(folder / "bundle", files, writers.byte_tokenizer(), spec)


@pytest.fixture(scope="session")
def turn_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of a tiny random T5 (seq2seq)."""
    folder, tokenizer = tmp_path_factory.mktemp("turn"), writers.piece_tokenizer()
    files = writers.convert(writers.t5(), tokenizer, folder)
    return writers.write_bundle(folder / "bundle", files, tokenizer, writers.seq2seq_spec())


@pytest.fixture
def tiny_tokenizer(tmp_path: Path) -> Tokenizer:
    """A WordPiece tokenizer of 150 tokens, single letters among them, as BERT's."""
    file = tmp_path / "tiny-vocab.txt"
    file.write_text("\n".join(VOCABULARY), encoding="utf-8")
    return Tokenizer.from_str(BertWordPieceTokenizer(str(file)).to_str())


@pytest.fixture(scope="session")
def tiny_config() -> Callable[..., dict[str, Any]]:
    """The config.json of an encoder of two layers, 32 hidden units and 64 positions."""

    def build(kind: str = "bert", **changes: Any) -> dict[str, Any]:
        config = {
            "model_type": kind,
            "vocab_size": len(VOCABULARY),
            "hidden_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "intermediate_size": 64,
            "max_position_embeddings": 66,
            "hidden_act": "gelu",
            "layer_norm_eps": 1e-12,
            "type_vocab_size": 1 if "roberta" in kind or "camembert" in kind else 2,
        }
        config |= {"embedding_size": 16} if kind == "electra" else {}
        config |= {"use_task_id": True, "task_type_vocab_size": 3} if kind == "ernie" else {}
        return config | changes

    return build


@pytest.fixture
def tiny_encoder(tmp_path: Path, tiny_config: Callable[..., dict[str, Any]]) -> Callable[..., Any]:
    """Builds a random encoder of a family, in evaluation mode, from such a config."""
    import torch

    from takeroot.models.config import read_config
    from takeroot.models.load import build_encoder

    torch.set_num_threads(1)

    def build(kind: str = "bert", seed: int = 0) -> Any:
        folder = tmp_path / f"config-{kind}"
        folder.mkdir(exist_ok=True)
        (folder / "config.json").write_text(json.dumps(tiny_config(kind)), encoding="utf-8")
        torch.manual_seed(seed)
        encoder = build_encoder(*read_config(folder)).eval()
        with torch.no_grad():  # large enough weights that every part changes the result
            for parameter in encoder.parameters():
                parameter.add_(0.1 * torch.randn_like(parameter))
        return encoder

    return build


@pytest.fixture
def tiny_folder(
    tmp_path: Path,
    tiny_config: Callable[..., dict[str, Any]],
    tiny_encoder: Callable[..., Any],
    tiny_tokenizer: Tokenizer,
) -> Callable[..., Path]:
    """Writes the folder of a saved encoder: config.json, model.safetensors, tokenizer.json."""
    from safetensors.torch import save_file

    def write(kind: str = "bert", **changes: Any) -> Path:
        folder = tmp_path / f"model-{kind}"
        folder.mkdir()
        config = tiny_config(kind, **changes)
        (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
        save_file(tiny_encoder(kind).state_dict(), folder / "model.safetensors")
        tiny_tokenizer.save(str(folder / "tokenizer.json"))
        return folder

    return write


@pytest.fixture
def tiny_model(tiny_encoder: Callable[..., Any]) -> Callable[..., Any]:
    """Builds the network of a task on a random encoder."""
    import torch

    from takeroot.models.config import ARCHITECTURES
    from takeroot.models.text_model import TextModel

    def build(task: Any, kind: str = "bert", seed: int = 0) -> Any:
        encoder = tiny_encoder(kind, seed)
        torch.manual_seed(seed)
        types = ARCHITECTURES[kind].token_types
        return TextModel(encoder, task.head(32), pooled=task.pooled, token_types=types).eval()

    return build
