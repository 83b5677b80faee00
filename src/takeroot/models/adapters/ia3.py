"""Learned factors for keys, values and the inner activations of feed-forward blocks, by PEFT.

(IA)^3 (Liu et al. 2022, arXiv:2205.05638, section 3.3): a vector that begins as ones multiplies the
outputs of the key and value projections and the inputs of each layer's second feed-forward matrix.
The factors are multiplied into the weights afterwards. The fewest parameters of all: one a channel.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from takeroot.errors import require
from takeroot.models.adapters.adapter import Attached
from takeroot.models.adapters.lora import NAME, merging
from takeroot.models.adapters.places import linear_names, matching

KEYS = r"attention\.self\.(key|value)|(self_attn|encoder_attn)\.[kv]_proj|\w*Attention\.[kv]"
TARGETS = rf"{KEYS}|\d+\.output\.dense|mlp\.down_proj|fc2|DenseReluDense\.wo"


@dataclass(frozen=True)
class Ia3:
    """Learned factors.

    Args:
        targets: Which modules, as in ``places.matching``. One that has more inputs than outputs and
            makes no keys or values has its inputs multiplied, any other one its outputs.
    """

    rate: ClassVar[float] = 25.0

    targets: str | None = None

    def fits(self, encoder: nn.Module) -> bool:
        """Whether there is a linear module, and one as usual if no other is named."""
        names = linear_names(encoder, 0)
        usual = any(_ends(KEYS, name) for name in names)
        return usual or (bool(names) and self.targets is not None)

    def attach(self, encoder: nn.Module, lowest: int) -> Attached:
        """Put the factors before or behind the modules."""
        peft = require("peft", extra="train")  # seconds that only this method pays

        names = matching(encoder, self.targets or TARGETS, lowest)
        modules = {name: encoder.get_submodule(name) for name in names}
        narrowing = [
            name
            for name, module in modules.items()
            if isinstance(module, nn.Linear)
            and module.in_features > module.out_features
            and not _ends(KEYS, name)  # keys shared by several heads are narrow as well
        ]
        config = peft.IA3Config(target_modules=names, feedforward_modules=narrowing)
        return Attached(merging(peft.IA3Model(encoder, config, NAME)))


def _ends(pattern: str, name: str) -> bool:
    """Whether the end of a module's name matches."""
    return re.fullmatch(rf"(.*\.)?({pattern})", name) is not None
