"""The network that is pretrained: an encoder, and a head that guesses tokens.

The head (``models/token_head``) is written beside the encoder under the names its family uses, so
that a pretraining can go on from a folder, and transformers can read it. A folder without one gets
a fresh head, tied to its embeddings.

Shapes: B rows, T tokens, M guessed tokens, H hidden, E size of an embedding, V vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from takeroot.errors import RecipeError
from takeroot.models.config import ARCHITECTURES, Architecture
from takeroot.models.load import Pretrained, build_encoder
from takeroot.models.text_model import MASKED
from takeroot.models.token_head import (
    TokenHead,
    family_of,
    fresh_head,
    head_tensors,
    saved_head,
    table_of,
)
from takeroot.recipe import NetworkRecipe

MOST_PARAMETERS = 150_000_000  # of a network that starts from nothing; more is work for many GPUs
EPSILON = 1e-12


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
        return table_of(self.encoder)

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
    family = family_of(pretrained.architecture)
    start = _start(
        pretrained.encoder, pretrained.architecture, {"model_type": family, **pretrained.config}
    )
    found = saved_head(pretrained.folder, family)
    if found is None:
        return start
    start.model.head.load_state_dict(found)
    return Start(start.model, start.architecture, start.config, fresh_head=False)


def weights(start: Start) -> dict[str, Tensor]:
    """All tensors of the network under the names its family uses."""
    encoder: dict[str, Tensor] = start.model.encoder.state_dict()
    named = {f"{start.architecture.prefix}{name}": each for name, each in encoder.items()}
    head = start.model.head.state_dict()
    named |= {name: head[own] for own, name in head_tensors(start.config["model_type"]).items()}
    return {name: each.detach().contiguous() for name, each in named.items()}


def _start(encoder: nn.Module, architecture: Architecture, config: dict[str, Any]) -> Start:
    """The encoder with fresh heads."""
    head = fresh_head(encoder, config, config["model_type"])
    pairs = nn.Linear(int(config["hidden_size"]), 2)
    model = LanguageModel(encoder, head, pairs, architecture.token_types)
    return Start(model, architecture, config, fresh_head=True)
