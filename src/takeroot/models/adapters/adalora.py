"""LoRA whose ranks are shared out among the matrices by how much each of them matters, by PEFT.

AdaLoRA (Zhang et al. 2023, arXiv:2303.10512): updates are kept as P diag(e) Q, singular values
whose smoothed importance (section 3.2) is lowest are set to zero on a cubic schedule (section 3.3)
until the average rank is the one asked for, and P and Q are kept close to orthogonal by a penalty
(section 3.1). Where we differ: the schedule follows the training's own length, also where a time
limit shortens that while it runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from takeroot.errors import require
from takeroot.models.adapters.adapter import Attached
from takeroot.models.adapters.lora import NAME, merging
from takeroot.models.adapters.places import linear_names, matching

SPARE = 1.5  # times the final average rank that training begins with
BEGIN, END = 0.1, 0.7  # shares of all steps between which ranks are taken away
ALLOCATIONS = 100  # times at most that they are
ORTHOGONAL = 0.1  # weight of the penalty
UNKNOWN = 1 << 30  # steps, before the first one says how many there are
IMPORTANCE, KEPT = "adalora_importance", "adalora_kept"  # buffers of the encoder
UNDECIDED = 2  # in place of whether a singular value is kept


@dataclass(frozen=True)
class AdaLora:
    """Low-rank updates with shared-out ranks.

    Args:
        rank: Average rank in the end.
        alpha: The update counts alpha times, divided by the rank training begins with.
        dropout: Of what goes into Q.
        targets: Which modules, as in ``places.matching``; None for every linear one.
    """

    rate: ClassVar[float] = 10.0

    rank: int = 6
    alpha: float = 16.0
    dropout: float = 0.0
    targets: str | None = None

    def fits(self, encoder: nn.Module) -> bool:
        """Whether there is a linear module."""
        return bool(linear_names(encoder, 0))

    def attach(self, encoder: nn.Module, lowest: int) -> Attached:
        """Put P, e and Q beside the weights."""
        peft = require("peft", extra="train")  # seconds that only this method pays

        config = peft.AdaLoraConfig(
            init_r=round(SPARE * self.rank),
            target_r=self.rank,
            lora_alpha=self.alpha,
            lora_dropout=self.dropout,
            target_modules=matching(encoder, self.targets, lowest),
            total_step=UNKNOWN,
        )
        tuner = peft.AdaLoraModel(encoder, config, NAME)
        allocation, merge = _Allocation(tuner, encoder), merging(tuner)

        def finish() -> None:
            merge()
            allocation.forget()

        return Attached(finish, allocation.after_step, allocation.settle, partial(penalty, encoder))


class _Allocation:
    """Takes ranks away after each step; what it remembers is in the encoder's buffers.

    Shapes: V values of P, e and Q of all matrices; R singular values of all matrices.
    """

    def __init__(self, tuner: Any, encoder: nn.Module) -> None:
        self._tuner, self._encoder = tuner, encoder
        self._learnt = {name: p for name, p in encoder.named_parameters() if "lora_" in name}
        self._values = {name: p for name, p in self._learnt.items() if "lora_E" in name}
        values = sum(p.numel() for p in self._learnt.values())
        ranks = sum(p.numel() for p in self._values.values())
        encoder.register_buffer(IMPORTANCE, torch.zeros(2, values))
        encoder.register_buffer(KEPT, torch.full((ranks,), UNDECIDED))

    def after_step(self, done: int, total: int) -> None:
        """Take in the gradients of the last of ``done`` steps out of ``total``."""
        kept = self._encoder.get_buffer(KEPT)
        end = max(round(END * total), 1)
        if bool(kept[0] == UNDECIDED):
            self._take_away(min(done, end), end, total)
            if done >= end:
                kept.copy_(torch.cat([p.flatten() != 0 for p in self._values.values()]))
        self.settle()

    def settle(self) -> None:
        """Set to zero again what was taken away for good."""
        kept = self._encoder.get_buffer(KEPT)
        sizes = [p.numel() for p in self._values.values()]
        with torch.no_grad():
            for value, part in zip(self._values.values(), torch.split(kept, sizes), strict=True):
                value.mul_((part != 0).view_as(value))

    def forget(self) -> None:
        """Remove the buffers."""
        delattr(self._encoder, IMPORTANCE)
        delattr(self._encoder, KEPT)

    def _take_away(self, done: int, end: int, total: int) -> None:
        """Let PEFT smooth the importance and zero the least important values."""
        config, allocator = self._tuner.peft_config[NAME], self._tuner.rankallocator
        config.total_step, config.tfinal = total, total - end
        config.tinit, config.deltaT = min(round(BEGIN * total), end - 1), max(end // ALLOCATIONS, 1)
        sizes = [p.numel() for p in self._learnt.values()]
        held = torch.split(self._encoder.get_buffer(IMPORTANCE), sizes, dim=1)  # (2, V)
        for (name, value), part in zip(self._learnt.items(), held, strict=True):
            mean, spread = (row.view_as(value) for row in part)
            allocator.ipt[name] = allocator.exp_avg_ipt[name] = mean
            allocator.exp_avg_unc[name] = spread
        self._tuner.update_and_allocate(done)
        if done < end:  # PEFT has forgotten it otherwise
            for name, part in zip(self._learnt, held, strict=True):
                part[0].copy_(allocator.exp_avg_ipt[name].flatten())
                part[1].copy_(allocator.exp_avg_unc[name].flatten())


def penalty(encoder: nn.Module) -> Tensor:
    """How far P and Q are from orthogonal: the mean Frobenius norm of P'P - I and QQ' - I."""
    norms = []
    for name, value in encoder.named_parameters():
        if "lora_A" in name or "lora_B" in name:
            product = value @ value.T if "lora_A" in name else value.T @ value
            norms.append(torch.linalg.norm(product - torch.eye(len(product))))
    return ORTHOGONAL * torch.stack(norms).mean()
