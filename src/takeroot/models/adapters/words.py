"""Learned words before each text that a network which writes is given.

Lester et al. 2021, arXiv:2104.08691, section 2.1: P vectors are trained that stand before a text as
if they were embeddings of words. They begin as embeddings of common words of the vocabulary
(section 3.2). Here they have token ids of their own, behind those of the vocabulary, so that
afterwards they are P more rows of the embeddings and P more tokens of the tokenizer, which any
runtime reads; nothing is ever answered with them. Cost: P H parameters, and P tokens more to read
of every text. As in the paper, and unlike any other adapter here, a network that reads the words
begins elsewhere than the pretrained one; a network that reads none is that one.

Shapes: … any leading ones, V vocabulary, P words, H hidden size.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from takeroot.models.adapters.adapter import Attached

FAMILIES = ("llama", "qwen2", "t5", "bart")  # Marian's padding must stay its last token
COMMON = 5000  # tokens with the lowest ids: vocabularies begin with the commonest


class Worded(nn.Module):
    """Embeddings of a vocabulary with further rows that are learnt.

    Args:
        base: Embeddings (V, H).
        count: P.
    """

    def __init__(self, base: nn.Embedding, count: int) -> None:
        super().__init__()
        self.base = base
        start = torch.randint(0, min(base.num_embeddings, COMMON), (count,))
        self.words = nn.Parameter(base.weight.detach()[start].clone())
        self.scale = float(getattr(base, "embed_scale", 1.0))  # some of BART's are scaled

    def forward(self, ids: Tensor) -> Tensor:
        """Vectors (…, H) of token ids (…), those from V on the learned words'."""
        size = self.base.num_embeddings
        old: Tensor = self.base(ids.clamp(max=size - 1))
        new = F.embedding((ids - size).clamp(min=0), self.words) * self.scale
        return torch.where((ids >= size).unsqueeze(-1), new.to(old.dtype), old)


def fits(network: nn.Module) -> bool:
    """Whether it is of a family whose vocabulary may grow."""
    config: Any = network.config
    return getattr(config, "model_type", None) in FAMILIES


def attach(network: nn.Module, count: int) -> Attached:
    """Put P words behind the vocabulary of what the network reads."""
    reads = reader(network)
    reads.embed_tokens = Worded(reads.embed_tokens, count)

    def merge() -> None:
        worded: Worded = reads.embed_tokens
        weight = torch.cat([worded.base.weight, worded.words]).detach()
        grown = copy.copy(worded.base)  # not the one module that others may share
        grown._parameters = {"weight": nn.Parameter(weight, requires_grad=False)}
        grown.num_embeddings = len(weight)
        reads.embed_tokens = grown

    return Attached(merge)


def reader(network: Any) -> Any:
    """The part of a network that embeds what it is given: an encoder, or a decoder by itself."""
    return network.get_encoder() if network.config.is_encoder_decoder else network.model
