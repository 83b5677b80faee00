"""Frozen matrices held in the format that they are multiplied in.

Autocast makes a bf16 copy of a frozen matrix in every pass, forwards and backwards, and keeps it
from one to the other. Held in bf16 from the start the products are the same to the bit, and the
copies are not made. What is trained, and everything that is no matrix of a linear module, stays in
float32; the originals come back at the end, so that an adapter is merged into them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def held(network: nn.Module, dtype: torch.dtype) -> Iterator[None]:
    """Inside the block, frozen matrices of linear modules are in ``dtype``.

    A matrix that is the table of embeddings as well is held twice: vectors are looked up in
    float32.
    """
    originals = {}
    for module in network.modules():
        if isinstance(module, nn.Linear) and not module.weight.requires_grad:
            originals[module] = module.weight
    try:
        if dtype != torch.float32:
            for module, weight in originals.items():
                module.weight = nn.Parameter(weight.detach().to(dtype), requires_grad=False)
        yield
    finally:
        for module, weight in originals.items():
            module.weight = weight
