"""Further channels inside the feed-forward block of every layer of a network that writes.

He et al. 2022, arXiv:2110.04366, section 3.3: an adapter beside a block, which reads the block's
own input ("parallel"), does better than one behind it, best of all beside the feed-forward block.
Here it has that block's own form, so that it *is* m channels more of it:

    ffn(x) = W2 f(W1 x)         + U f(D x)               (T5, BART, Marian)
    ffn(x) = W2 (f(Wg x) * Wu x) + U (f(Dg x) * Du x)    (Llama, Qwen2, gated T5)

U is zero at first. Merged exactly: the matrices are put together, and the block is m wider, which
any runtime computes. Cost: (2 or 3) H m parameters and multiplications a token and layer. Where we
differ: the paper's adapter has one hidden layer and a scale whatever the block is like.

Shapes: … any leading ones, H hidden size, I inner channels of the block, m further ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from takeroot.models.adapters.adapter import Attached
from takeroot.models.layers import every_layer, named_stacks

SHAPES = (  # the modules into the channels, and the one out of them
    (("gate_proj", "up_proj"), "down_proj"),
    (("wi_0", "wi_1"), "wo"),
    (("wi",), "wo"),
    (("fc1",), "fc2"),
)
WIDTHS = ("intermediate_size", "d_ff", "encoder_ffn_dim", "decoder_ffn_dim")  # in configs


@dataclass(frozen=True)
class Block:
    """A feed-forward block.

    Args:
        owner: The module whose parts they are.
        inner: Names of the parts that lead into the channels.
        outer: Name of the part that leads out.
    """

    owner: nn.Module
    inner: tuple[str, ...]
    outer: str


class Wider(nn.Module):
    """A linear module (…, H) to (…, I), with m further outputs.

    Args:
        base: The module.
        size: m.
    """

    def __init__(self, base: nn.Linear, size: int) -> None:
        super().__init__()
        self.base = base
        self.own = nn.Linear(base.in_features, size, bias=base.bias is not None)
        nn.init.normal_(self.own.weight, std=base.in_features**-0.5)
        if self.own.bias is not None:
            nn.init.zeros_(self.own.bias)

    def forward(self, inputs: Tensor) -> Tensor:
        """Channels (…, I + m)."""
        return torch.cat([self.base(inputs), self.own(inputs)], dim=-1)


class Joined(nn.Module):
    """A linear module (…, I) to (…, H) that takes m further inputs, and begins by ignoring them.

    Args:
        base: The module.
        size: m.
    """

    def __init__(self, base: nn.Linear, size: int) -> None:
        super().__init__()
        self.base = base
        self.own = nn.Linear(size, base.out_features, bias=False)
        nn.init.zeros_(self.own.weight)

    @property
    def weight(self) -> Tensor:
        """The module's own, whose number format T5 looks at."""
        return self.base.weight

    def forward(self, channels: Tensor) -> Tensor:
        """Vectors (…, H)."""
        sizes = [self.base.in_features, self.own.in_features]
        old, new = torch.split(channels, sizes, dim=-1)
        return torch.as_tensor(self.base(old) + self.own(new))


def fits(network: nn.Module) -> bool:
    """Whether every layer of a network has a feed-forward block of a known form."""
    return all(block_of(layer) is not None for layer in every_layer(network))


def attach(network: nn.Module, lowest: int, size: int) -> Attached:
    """Put m further channels into the blocks of the layers from number ``lowest`` on."""
    blocks = [block_of(layer) for layer in every_layer(network)]
    for block in _blocks(network, lowest):
        for name in block.inner:
            setattr(block.owner, name, Wider(getattr(block.owner, name), size))
        setattr(block.owner, block.outer, Joined(getattr(block.owner, block.outer), size))

    def merge() -> None:
        for block in blocks:
            assert block is not None  # it fits
            for name in (*block.inner, block.outer):
                part = getattr(block.owner, name)
                setattr(block.owner, name, widened(part, size, leads_out=name == block.outer))
        config: Any = network.config
        for width in WIDTHS:
            if width in config.to_dict():
                setattr(config, width, getattr(config, width) + size)

    return Attached(merge)


def block_of(layer: nn.Module) -> Block | None:
    """A layer's feed-forward block; None where it has none of a known form."""
    for owner in layer.modules():
        for inner, outer in SHAPES:
            parts = [getattr(owner, name, None) for name in (*inner, outer)]
            if all(isinstance(part, nn.Linear) for part in parts):
                return Block(owner, inner, outer)
    return None


def widened(module: Any, size: int, *, leads_out: bool) -> nn.Linear:
    """A part of a block with its further channels; in a layer without adapter they are zero.

    Frozen layers are widened too, as a config knows one width for all.
    """
    base = getattr(module, "base", module)
    fresh = (base.out_features, size) if leads_out else (size, base.in_features)
    own = module.own.weight if base is not module else base.weight.new_zeros(fresh)
    weight, bias = torch.cat([base.weight, own], dim=1 if leads_out else 0), base.bias
    if bias is not None and not leads_out:
        bias = torch.cat([bias, module.own.bias if base is not module else bias.new_zeros(size)])
    found = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, device="meta")
    found.weight = nn.Parameter(weight.detach(), requires_grad=False)
    if bias is not None:
        found.bias = nn.Parameter(bias.detach(), requires_grad=False)
    return found


def _blocks(network: nn.Module, lowest: int) -> list[Block]:
    """The blocks of the layers from number ``lowest`` on."""
    stacks = [list(stack)[lowest:] for _, stack in named_stacks(network)]
    found = [block_of(layer) for layers in stacks for layer in layers]
    return [block for block in found if block is not None]
