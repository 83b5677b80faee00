"""Learned keys and values that every token of every text may attend to.

Prefix tuning (Li & Liang 2021, arXiv:2101.00190, section 4): in each layer P pairs of a key and a
value are trained, beginning as those of random words (section 7.4 finds real words the best start).
Where we differ: the softmax over them is one of its own, and its result is added through a gate a
head that begins at zero (Zhang et al. 2023, arXiv:2303.16199, section 3.2),

    out = softmax(q K' / sqrt(D)) V + tanh(g) softmax(q Kp' / sqrt(D)) Vp,

so that training begins at the pretrained network, and nothing of it depends on the other texts of a
pack. It cannot be merged into weights: keys and gated values are constants of the served graph, and
cost 4 P H multiplications a token and layer.

Shapes: B rows, A heads, S tokens, D values of a head, P pairs, H hidden size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from takeroot.models.adapters.adapter import Attached
from takeroot.models.attention import PREFIXED, attend_with_prefix
from takeroot.models.layers import layers_of


@dataclass(frozen=True)
class Prefix:
    """Learned keys and values in every layer.

    Args:
        tokens: P.
    """

    rate: ClassVar[float] = 75.0

    tokens: int = 16

    def fits(self, encoder: nn.Module) -> bool:
        """Whether the layers attend as BERT's do."""
        return has_attention(encoder)

    def attach(self, encoder: nn.Module, lowest: int) -> Attached:
        """Put them beside the layers' own keys and values."""
        attend_with_prefix(encoder)
        with torch.no_grad():
            found = pairs(encoder, words(encoder, self.tokens))
        layers = layers_of(encoder)[lowest:]
        for layer, (keys, values) in zip(layers, found[lowest:], strict=True):
            learnt = Pairs(len(keys))
            learnt.keys, learnt.values = nn.Parameter(keys), nn.Parameter(values)
            own(layer).add_module(PREFIXED, learnt)
        return Attached(lambda: merge(encoder))


class Pairs(nn.Module):
    """Keys and values (A, P, D) behind a gate a head; without them it adds nothing.

    Args:
        heads: A.
    """

    def __init__(self, heads: int) -> None:
        super().__init__()
        self.keys: Tensor | None = None
        self.values: Tensor | None = None
        self.gate = nn.Parameter(torch.zeros(heads, 1, 1))

    def forward(self, query: Tensor, scale: float) -> Tensor | None:
        """What is added to the attention output (B, A, S, D) of a query (B, A, S, D)."""
        if self.keys is None or self.values is None:
            return None
        return attend(query, self.keys, self.values * torch.tanh(self.gate), scale)


class Constants(nn.Module):
    """Keys and gated values (A, P, D) that are learnt no more."""

    def __init__(self, keys: Tensor, values: Tensor) -> None:
        super().__init__()
        self.register_buffer("keys", keys.detach().clone())
        self.register_buffer("values", values.detach().clone())

    def forward(self, query: Tensor, scale: float) -> Tensor:
        """What is added to the attention output (B, A, S, D) of a query (B, A, S, D)."""
        keys, values = self.get_buffer("keys"), self.get_buffer("values")
        return attend(query, keys, values, scale)


def attend(query: Tensor, keys: Tensor, values: Tensor, scale: float) -> Tensor:
    """Attention (B, A, S, D) of a query (B, A, S, D) to keys and values (A, P, D) alone."""
    weights = torch.softmax(query @ keys.transpose(1, 2) * scale, dim=-1)  # (B, A, S, P)
    return weights @ values


def merge(encoder: nn.Module) -> None:
    """Multiply the gates into the values, in place."""
    for layer in layers_of(encoder):
        learnt = getattr(own(layer), PREFIXED, None)
        if isinstance(learnt, Pairs) and learnt.keys is not None and learnt.values is not None:
            gated = learnt.values * torch.tanh(learnt.gate)
            own(layer).add_module(PREFIXED, Constants(learnt.keys, gated))


def pairs(encoder: nn.Module, hidden: Tensor) -> list[tuple[Tensor, Tensor]]:
    """The keys and values (A, P, D) that each layer makes of P vectors (P, H) at its bottom."""
    found = []
    hidden = hidden.unsqueeze(0)  # (1, P, H)
    for layer in layers_of(encoder):
        attention: Any = own(layer)
        shape = (*hidden.shape[1:2], -1, attention.attention_head_size)
        keys, values = (
            made(hidden)[0].view(shape).transpose(0, 1) for made in (attention.key, attention.value)
        )
        found.append((keys.contiguous(), values.contiguous()))
        out = layer(hidden)
        hidden = out[0] if isinstance(out, tuple) else out
    return found


def words(encoder: nn.Module, count: int) -> Tensor:
    """What the lowest layer is given (P, H) of some words drawn from the vocabulary."""
    seen: list[Tensor] = []
    handle = layers_of(encoder)[0].register_forward_pre_hook(
        lambda module, args: seen.append(args[0])
    )
    config: Any = encoder.config
    try:
        encoder(input_ids=torch.randint(0, config.vocab_size, (count, 1)))  # each a text of its own
    finally:
        handle.remove()
    return seen[0][:, 0]


def has_attention(encoder: nn.Module) -> bool:
    """Whether the layers attend as BERT's do."""
    attention = getattr(getattr(layers_of(encoder)[0], "attention", None), "self", None)
    return all(hasattr(attention, part) for part in ("query", "key", "value"))


def own(layer: nn.Module) -> nn.Module:
    """A layer's self-attention."""
    return layer.get_submodule("attention.self")
