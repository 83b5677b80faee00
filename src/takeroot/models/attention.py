"""Attention whose result for a text does not depend on where in a pack the text stands.

A usual softmax sums a row of exponentials in blocks of a vector register's width, so that moving a
text by one position changes the order of the additions and with it the last bit. That bit alone
would be harmless, but int8 activations are rounded next, and one rounding that falls the other way
moves the answer by up to 0.02. Here the sum is a matrix product with a block of ones: products add
their terms one after another, and the zeros of other texts change nothing on the way.

Shapes: B rows, A heads, S tokens, D values of a head.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

NAME = "takeroot_packed"
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
    weights = torch.exp(scores - scores.max(dim=-1, keepdim=True).values)
    sums = torch.matmul(weights, torch.ones_like(value[..., :ONES]))[..., :1]  # (B, A, S, 1)
    context = torch.matmul(weights, value) / sums
    return context.transpose(1, 2).contiguous(), None


ALL_ATTENTION_FUNCTIONS.register(NAME, _attend)


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
