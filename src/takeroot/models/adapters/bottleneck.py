"""Small two-layer networks behind each block of every layer.

Houlsby et al. 2019, arXiv:1902.00751, section 2.1: the outputs h of the attention block and of the
feed-forward block pass through h + U gelu(D h) before they join the residual stream; D narrows to m
values, U widens again and is zero at first. Cost: 2 (2 H m + H + m) parameters a layer. The
nonlinearity cannot be merged into a weight matrix, so the two thin products stay in the served
graph (4 H m multiplications a token and layer beside 12 H^2). Where we differ: layer norms stay
frozen, so that the base can be shared. A network that writes must end in plain matrices: its
adapters are channels of its feed-forward blocks (``parallel.py``).

Shapes: … any leading ones, H hidden size, m bottleneck.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from takeroot.models.adapters import parallel
from takeroot.models.adapters.adapter import Attached
from takeroot.models.layers import layers_of

BLOCKS = ("attention.output", "output")  # each with a last linear module ``dense``


@dataclass(frozen=True)
class Bottleneck:
    """Bottleneck adapters; beside the feed-forward blocks of a network that writes.

    Args:
        size: m.
    """

    rate: ClassVar[float] = 10.0

    size: int = 32

    def fits(self, encoder: nn.Module) -> bool:
        """Whether each layer has the two blocks of a BERT-like one, or one that can be widened."""
        return _has_blocks(encoder) or parallel.fits(encoder)

    def attach(self, encoder: nn.Module, lowest: int) -> Attached:
        """Put one behind each block, or beside it where it must be merged."""
        if not _has_blocks(encoder):
            return parallel.attach(encoder, lowest, self.size)
        for layer in layers_of(encoder)[lowest:]:
            for block in (layer.get_submodule(name) for name in BLOCKS):
                block.dense = Adapted(block.dense, self.size)  # type: ignore[arg-type]
        return Attached()


def _has_blocks(encoder: nn.Module) -> bool:
    """Whether the layers are BERT's."""
    names = {name for name, _ in layers_of(encoder)[0].named_modules()}
    return all(f"{block}.dense" in names for block in BLOCKS)


class Adapted(nn.Module):
    """A linear module with a bottleneck behind it.

    Args:
        dense: The module, to vectors (…, H).
        size: m.
    """

    def __init__(self, dense: nn.Linear, size: int) -> None:
        super().__init__()
        self.dense = dense
        self.down = nn.Linear(dense.out_features, size)
        self.up = nn.Linear(size, dense.out_features)
        nn.init.normal_(self.down.weight, std=dense.out_features**-0.5)
        for zero in (self.down.bias, self.up.weight, self.up.bias):
            nn.init.zeros_(zero)

    def forward(self, inputs: Tensor) -> Tensor:
        """Vectors (…, H)."""
        hidden: Tensor = self.dense(inputs)
        return torch.as_tensor(hidden + self.up(F.gelu(self.down(hidden))))
