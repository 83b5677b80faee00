"""Learned words before each text.

Prompt tuning (Lester et al. 2021, arXiv:2104.08691, section 2): P vectors are trained that stand
before a text as if they were words; they begin as words of the vocabulary. Where we differ: texts
attend to them, and they attend to each other only, as they would in a causal model. So what they
become in each layer is the same for every text, and after training they are run through the layers
once and stay in the graph as keys and values (``prefix``), which costs no tokens, moves no
positions and depends on nothing else in a pack. Texts attend through a gate a head that begins at
zero, as there, so that training begins at the pretrained network. A network that writes reads them
as tokens (``words.py``).

Shapes: P vectors, H hidden size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import nn

from takeroot.models.adapters import words as learned
from takeroot.models.adapters.adapter import Attached
from takeroot.models.adapters.prefix import Pairs, has_attention, merge, own, pairs, words
from takeroot.models.attention import PREFIXED, attend_with_prefix
from takeroot.models.layers import layers_of

NAME = "prompt"  # of the parameter in the encoder


@dataclass(frozen=True)
class Prompt:
    """Learned words before each text.

    Args:
        tokens: P.
    """

    rate: ClassVar[float] = 75.0

    tokens: int = 16

    def fits(self, encoder: nn.Module) -> bool:
        """Whether the layers attend as BERT's do, or the vocabulary may grow."""
        return has_attention(encoder) or learned.fits(encoder)

    def attach(self, encoder: nn.Module, lowest: int) -> Attached:
        """Put the words into the encoder, and gates into its layers."""
        if learned.fits(encoder):
            return learned.attach(encoder, self.tokens)
        attend_with_prefix(encoder)
        with torch.no_grad():
            start = words(encoder, self.tokens)
        encoder.register_parameter(NAME, nn.Parameter(start))
        for layer in layers_of(encoder)[lowest:]:
            heads = int(getattr(own(layer), "num_attention_heads"))  # noqa: B009  # typed
            own(layer).add_module(PREFIXED, Pairs(heads))
        handle = encoder.register_forward_pre_hook(_spread)

        def fold() -> None:
            handle.remove()
            with torch.no_grad():
                _spread(encoder)
            merge(encoder)
            delattr(encoder, NAME)

        return Attached(fold)


def _spread(encoder: nn.Module, *_: Any) -> None:
    """Give every layer the keys and values that it makes of the learned words.

    NOTE: it names nothing but its argument, so that a copy of the encoder spreads its own words.
    """
    gated = [getattr(own(layer), PREFIXED, None) for layer in layers_of(encoder)]
    for each in gated:
        if each is not None:  # the words themselves attend to each other only
            each.keys = each.values = None
    found = pairs(encoder, encoder.get_parameter(NAME))
    for each, (keys, values) in zip(gated, found, strict=True):
        if each is not None:
            each.keys, each.values = keys, values
