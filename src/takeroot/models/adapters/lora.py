"""Low-rank updates of weight matrices, by PEFT.

LoRA (Hu et al. 2021, arXiv:2106.09685, section 4.1): beside a frozen weight W a product of two thin
matrices is trained, W + (alpha / r) B A with B zero at first. Afterwards the sum is one matrix as
large as W, so that serving pays nothing. Cost of r (in + out) parameters a matrix. Where we differ:
by default every linear module of a layer is adapted, not the attention's alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from torch import nn

from takeroot.errors import require
from takeroot.models.adapters.adapter import Attached
from takeroot.models.adapters.places import linear_names, matching

NAME = "default"  # what PEFT calls the one adapter


@dataclass(frozen=True)
class Lora:
    """Low-rank updates.

    Args:
        rank: r.
        alpha: The update counts alpha / rank times.
        dropout: Of what goes into A.
        targets: Which modules, as in ``places.matching``; None for every linear one.
    """

    rate: ClassVar[float] = 10.0

    rank: int = 8
    alpha: float = 16.0
    dropout: float = 0.0
    targets: str | None = None

    def fits(self, encoder: nn.Module) -> bool:
        """Whether there is a linear module."""
        return bool(linear_names(encoder, 0))

    def attach(self, encoder: nn.Module, lowest: int) -> Attached:
        """Put A and B beside the weights."""
        peft = require("peft", extra="train")  # seconds that only this method pays

        config = peft.LoraConfig(
            r=self.rank,
            lora_alpha=self.alpha,
            lora_dropout=self.dropout,
            target_modules=matching(encoder, self.targets, lowest),
        )
        return Attached(merging(peft.LoraModel(encoder, config, NAME)))


def merging(tuner: Any) -> Any:
    """What merges the adapter of a PEFT tuner into its encoder, in place.

    Dropout inside the adapter keeps its own probability (``train.dropout``).
    """
    for module in tuner.model.modules():
        for dropout in getattr(module, "lora_dropout", {}).values():
            dropout.own_probability = True

    def merge() -> None:
        tuner.merge_and_unload()

    return merge
