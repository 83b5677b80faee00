"""The network that is pretrained: an encoder, and a head that guesses tokens.

The head is BERT's (Devlin et al. 2019, arXiv:1810.04805): a layer, an activation, a norm, and a
product with the table of token embeddings, so that it adds few parameters. It is written beside the
encoder under the names its family uses, so that a pretraining can go on from a folder, and
transformers can read it. A folder without one gets a fresh head, tied to its embeddings.

Shapes: B rows, T tokens, M guessed tokens, H hidden, E size of an embedding, V vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor, nn
from torch.nn import functional as F
from transformers.activations import ACT2FN

from takeroot.errors import RecipeError
from takeroot.models.config import ARCHITECTURES, Architecture
from takeroot.models.load import Pretrained, build_encoder
from takeroot.models.text_model import MASKED
from takeroot.recipe import NetworkRecipe

MOST_PARAMETERS = 150_000_000  # of a network that starts from nothing; more is work for many GPUs
DEVIATION = 0.02  # of random weights, as BERT's
EPSILON = 1e-12

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


class LanguageModel(nn.Module):
    """An encoder with heads for what it is pretrained by.

    Args:
        encoder: Gives ``last_hidden_state``.
        head: Guesses tokens.
        pairs: From the first token's vector to two logits: whether two parts belong together.
        token_types: Whether the encoder takes token type ids.
    """

    def __init__(
        self, encoder: nn.Module, head: TokenHead, pairs: nn.Linear, token_types: bool
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = head
        self.pairs = pairs
        self.token_types = token_types

    @property
    def table(self) -> Tensor:
        """The token embeddings (V, E)."""
        embeddings: Any = self.encoder.embeddings
        table: Tensor = embeddings.word_embeddings.weight
        return table

    def vectors(self, ids: Tensor, mask: Tensor, types: Tensor, *, causal: bool = False) -> Tensor:
        """Token vectors (B, T, H); with ``causal`` no token sees those behind it."""
        seen = mask
        if causal:
            past = torch.ones(ids.shape[1], ids.shape[1], dtype=torch.bool).tril()
            seen = torch.where(past & mask[:, None, :].bool(), 0.0, MASKED).unsqueeze(1)
        extra = {"token_type_ids": types} if self.token_types else {}
        found = self.encoder(input_ids=ids, attention_mask=seen, **extra)
        hidden: Tensor = found.last_hidden_state
        return hidden

    def guess(self, vectors: Tensor) -> Tensor:
        """Scores (M, V) of every token at some places' vectors (M, H)."""
        scores: Tensor = self.head(vectors, self.table)
        return scores


@dataclass(frozen=True)
class Start:
    """What a pretraining begins with.

    Args:
        model: The network.
        architecture: How its encoder is built.
        config: The encoder's, as config.json holds it.
        fresh_head: Whether the head that guesses tokens is new.
    """

    model: LanguageModel
    architecture: Architecture
    config: dict[str, Any]
    fresh_head: bool


def from_scratch(recipe: NetworkRecipe, vocabulary: int) -> Start:
    """A network of random weights; drawn from torch's generator.

    Raises:
        RecipeError: If it is larger than what this project trains from nothing.
    """
    config = {
        "model_type": "bert",
        "vocab_size": vocabulary,
        "hidden_size": recipe.hidden,
        "num_hidden_layers": recipe.layers,
        "num_attention_heads": recipe.heads,
        "intermediate_size": recipe.intermediate or 4 * recipe.hidden,
        "max_position_embeddings": recipe.positions,
        "type_vocab_size": 2,
        "hidden_act": "gelu",
        "layer_norm_eps": EPSILON,
    }
    count = parameters(config)
    if count > MOST_PARAMETERS:
        raise RecipeError(
            f"network: {count / 1e6:,.0f} million parameters; at most "
            f"{MOST_PARAMETERS / 1e6:,.0f} million are trained from scratch: take fewer layers, a "
            "smaller hidden, or go on from a pretrained model"
        )
    architecture = ARCHITECTURES["bert"]
    values = {key: value for key, value in config.items() if key != "model_type"}
    encoder = build_encoder(architecture, values)
    return _start(encoder, architecture, config)


def parameters(config: dict[str, Any]) -> int:
    """How many weights a BERT encoder of a config has."""
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    layer = 4 * hidden * (hidden + 1) + 2 * hidden * inner + inner + hidden + 4 * hidden
    tables = config["vocab_size"] + config["max_position_embeddings"] + config["type_vocab_size"]
    return int(tables * hidden + 2 * hidden + config["num_hidden_layers"] * layer)


def going_on(pretrained: Pretrained) -> Start:
    """A pretrained encoder, with its own head where its folder has one."""
    family = _family(pretrained.architecture)
    start = _start(
        pretrained.encoder, pretrained.architecture, {"model_type": family, **pretrained.config}
    )
    found = _saved_head(pretrained, family)
    if found is None:
        return start
    start.model.head.load_state_dict(found)
    return Start(start.model, start.architecture, start.config, fresh_head=False)


def weights(start: Start) -> dict[str, Tensor]:
    """All tensors of the network under the names its family uses."""
    encoder: dict[str, Tensor] = start.model.encoder.state_dict()
    named = {f"{start.architecture.prefix}{name}": each for name, each in encoder.items()}
    dense, norm, bias = HEAD_NAMES[start.config["model_type"]]
    for own, name in (("dense", dense), ("norm", norm)):
        for part in ("weight", "bias"):
            named[f"{name}.{part}"] = start.model.head.state_dict()[f"{own}.{part}"]
    named[bias] = start.model.head.bias.data
    return {name: each.detach().contiguous() for name, each in named.items()}


def _start(encoder: nn.Module, architecture: Architecture, config: dict[str, Any]) -> Start:
    """The encoder with fresh heads."""
    embeddings: Any = encoder.embeddings
    vocabulary, size = embeddings.word_embeddings.weight.shape
    hidden = int(config["hidden_size"])
    bert = HEAD_NAMES[config["model_type"]] == HEAD_NAMES["bert"]
    activation = config["hidden_act"] if bert else "gelu"
    head = TokenHead(hidden, size, vocabulary, activation, config["layer_norm_eps"])
    pairs = nn.Linear(hidden, 2)
    model = LanguageModel(encoder, head, pairs, architecture.token_types)
    return Start(model, architecture, config, fresh_head=True)


def _family(architecture: Architecture) -> str:
    """The name of an architecture."""
    return next(name for name, each in ARCHITECTURES.items() if each == architecture)


def _saved_head(pretrained: Pretrained, family: str) -> dict[str, Tensor] | None:
    """The head's weights in the folder, or None where any of them is missing."""
    dense, norm, bias = HEAD_NAMES[family]
    names = {"bias": bias}
    for own, name in (("dense", dense), ("norm", norm)):
        names |= {f"{own}.{part}": f"{name}.{part}" for part in ("weight", "bias")}
    file = pretrained.folder / "model.safetensors"
    if not file.is_file():  # cut into parts: those have no head worth the search
        return None
    with safe_open(file, "pt") as saved:
        there = set(saved.keys())
        if not there.issuperset(names.values()):
            return None
        return {own: saved.get_tensor(name).float() for own, name in names.items()}
