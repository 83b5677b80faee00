"""The layer that predicts tokens from an encoder's vectors, and where model folders keep it.

It is BERT's (Devlin et al. 2019, arXiv:1810.04805): a layer, an activation, a norm, and a product
with the table of token embeddings, so that it adds few parameters. Each family of encoders saves it
under names of its own.

Shapes: M predicted tokens, H hidden, E size of an embedding, V vocabulary.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.nn import functional as F
from transformers.activations import ACT2FN

from takeroot.errors import ModelError
from takeroot.models.config import ARCHITECTURES, Architecture
from takeroot.models.load import current_name, weight_files

DEVIATION = 0.02  # of random weights, as BERT's

_BERT = ("cls.predictions.transform.dense", "cls.predictions.transform.LayerNorm")
_ROBERTA = ("lm_head.dense", "lm_head.layer_norm")
HEAD_NAMES = {  # family: names of the layer and the norm of its head, and of its bias
    "bert": (*_BERT, "cls.predictions.bias"),
    "ernie": (*_BERT, "cls.predictions.bias"),
    "electra": (
        "generator_predictions.dense",
        "generator_predictions.LayerNorm",
        "generator_lm_head.bias",
    ),
    "roberta": (*_ROBERTA, "lm_head.bias"),
    "camembert": (*_ROBERTA, "lm_head.bias"),
    "xlm-roberta": (*_ROBERTA, "lm_head.bias"),
}


class TokenHead(nn.Module):
    """From token vectors to scores of every token of the vocabulary.

    Args:
        hidden: H.
        embedding: E.
        vocabulary: V.
        activation: Name of the function after the layer.
        epsilon: What the norm adds to the variance.
    """

    def __init__(
        self, hidden: int, embedding: int, vocabulary: int, activation: str, epsilon: float
    ) -> None:
        super().__init__()
        self.dense = nn.Linear(hidden, embedding)
        nn.init.normal_(self.dense.weight, std=DEVIATION)
        nn.init.zeros_(self.dense.bias)
        self.activation = ACT2FN[activation]
        self.norm = nn.LayerNorm(embedding, eps=epsilon)
        self.bias = nn.Parameter(torch.zeros(vocabulary))

    def forward(self, vectors: Tensor, table: Tensor) -> Tensor:
        """Logits (M, V) of vectors (M, H), given the table of embeddings (V, E)."""
        return F.linear(self.norm(self.activation(self.dense(vectors))), table, self.bias)


def fresh_head(encoder: nn.Module, config: dict[str, Any], family: str) -> TokenHead:
    """A head of random weights that fits an encoder.

    Args:
        encoder: It.
        config: The checked values of its config.json.
        family: A key of ``HEAD_NAMES``.
    """
    vocabulary, size = table_of(encoder).shape
    bert = HEAD_NAMES[family] == HEAD_NAMES["bert"]
    activation = config["hidden_act"] if bert else "gelu"
    return TokenHead(config["hidden_size"], size, vocabulary, activation, config["layer_norm_eps"])


def table_of(encoder: nn.Module) -> Tensor:
    """The token embeddings (V, E) of an encoder."""
    embeddings: Any = encoder.embeddings
    table: Tensor = embeddings.word_embeddings.weight
    return table


def family_of(architecture: Architecture) -> str:
    """The name of an architecture."""
    return next(name for name, each in ARCHITECTURES.items() if each == architecture)


def head_tensors(family: str) -> dict[str, str]:
    """By the names that ``TokenHead`` uses, those under which a family's files have its tensors."""
    dense, norm, bias = HEAD_NAMES[family]
    parts = (("dense", dense), ("norm", norm))
    named = {
        f"{own}.{part}": f"{name}.{part}" for own, name in parts for part in ("weight", "bias")
    }
    return {**named, "bias": bias}


def missing_of_head(folder: Path, family: str) -> list[str]:
    """Names of the head's tensors that a folder's weights lack; no weight is read."""
    there = set(_places(folder))
    return [name for name in head_tensors(family).values() if name not in there]


def saved_head(folder: Path, family: str) -> dict[str, Tensor] | None:
    """The head's weights in a folder, or None where any of them is missing."""
    if missing_of_head(folder, family):
        return None
    places = _places(folder)
    found: dict[str, Tensor] = {}
    for own, name in head_tensors(family).items():
        file, saved = places[name]
        with safe_open(file, "pt") as tensors:
            found[own] = tensors.get_tensor(saved).float()
    return found


def load_head(encoder: nn.Module, config: dict[str, Any], folder: Path, family: str) -> TokenHead:
    """The head a folder has saved beside its encoder.

    Raises:
        ModelError: If it has none, or one of another shape.
    """
    head, found = fresh_head(encoder, config, family), saved_head(folder, family)
    if found is None:
        raise ModelError(f"{folder}: {missing_of_head(folder, family)[0]!r} is missing")
    for name, tensor in head.state_dict().items():
        if found[name].shape != tensor.shape:
            shape, expected = tuple(found[name].shape), tuple(tensor.shape)
            saved = head_tensors(family)[name]
            raise ModelError(f"{folder}: {saved} has shape {shape}, config.json says {expected}")
    head.load_state_dict(found)
    return head.eval()


def _places(folder: Path) -> dict[str, tuple[Path, str]]:
    """The file of each tensor, and what it is called there, by the name it has today."""
    found: dict[str, tuple[Path, str]] = {}
    for file in weight_files(folder):
        try:
            with safe_open(file, "pt") as saved:
                found |= {current_name(name): (file, name) for name in saved.keys()}  # noqa: SIM118
        except (SafetensorError, OSError) as error:
            raise ModelError(f"{file}: not a safetensors file: {error}") from error
    return found
