"""Attention whose result for a text does not depend on where in a pack the text stands.

A usual softmax sums a row of exponentials in blocks of a vector register's width, so that moving a
text by one position changes the order of the additions and with it the last bit. That bit alone
would be harmless, but int8 activations are rounded next, and one rounding that falls the other way
moves the answer by up to 0.02. Here the sum is a matrix product with a block of ones: products add
their terms one after another, and other texts, whose weights are 2e-35, change nothing on the way,
as a sum is 1 or more. (They are not 0, because an exponential that is less than a normal number
takes a processor twenty times as long: a fifth of all time in packs of eight texts.)

A module named ``PREFIXED`` inside a self-attention adds to its output what the query finds
elsewhere (``models.adapters.prefix``), for packed and for padded texts.

Shapes: B rows, A heads, S tokens, D values of a head.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS
from transformers.models.bert.modeling_bert import eager_attention_forward

NAME = "takeroot_packed"
PADDED = "takeroot_prefixed"  # attention of padded texts in an encoder that has such modules
PREFIXED = "prefix"
LEAST = -80.0  # of a score below its row's largest, see above
ONES = 16  # columns of ones: a product with one column takes another, order-dependent path


def _attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor,
    scaling: float | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """Attention output (B, S, A, D) of query, key, value (B, A, S, D), in transformers' form."""
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    scores = torch.matmul(query, key.transpose(2, 3)) * scale + attention_mask  # (B, A, S, S)
    below = scores - scores.max(dim=-1, keepdim=True).values
    weights = torch.exp(below.clamp(min=LEAST))
    sums = torch.matmul(weights, torch.ones_like(value[..., :ONES]))[..., :1]  # (B, A, S, 1)
    context = _with_prefix(module, query, torch.matmul(weights, value) / sums, scale)
    return context.transpose(1, 2).contiguous(), None


def _attend_padded(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    **settings: Any,
) -> tuple[Tensor, Tensor | None]:
    """As ``_attend``, by the usual softmax, and the weights."""
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    context, weights = eager_attention_forward(
        module, query, key, value, attention_mask, scaling=scale, **settings
    )
    found = _with_prefix(module, query, context.transpose(1, 2), scale)
    return found.transpose(1, 2).contiguous(), weights


def _with_prefix(module: nn.Module, query: Tensor, context: Tensor, scale: float) -> Tensor:
    """Attention output (B, A, S, D) with what a module named ``PREFIXED`` adds, if there is one."""
    prefix = getattr(module, PREFIXED, None)
    more = None if prefix is None else prefix(query, scale)
    return context if more is None else context + more


ALL_ATTENTION_FUNCTIONS.register(NAME, _attend)
ALL_ATTENTION_FUNCTIONS.register(PADDED, _attend_padded)
ALL_MASK_ATTENTION_FUNCTIONS.register(PADDED, ALL_MASK_ATTENTION_FUNCTIONS["eager"])


def attend_with_prefix(encoder: nn.Module) -> None:
    """Have modules named ``PREFIXED`` take part in the attention of padded texts from now on."""
    config: Any = encoder.config
    config._attn_implementation = PADDED


@contextmanager
def packed_attention(encoder: nn.Module) -> Iterator[None]:
    """Use the order-independent attention inside the block."""
    config: Any = encoder.config
    before = config._attn_implementation
    config._attn_implementation = NAME
    try:
        yield
    finally:
        config._attn_implementation = before
