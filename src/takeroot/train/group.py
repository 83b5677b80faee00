"""Processes that train one model together, each on its share of every batch.

Data parallelism: all hold the same weights, each computes the gradient of its rows, the gradients
are added up, and each takes the same step (Li et al. 2020, arXiv:2006.15704, without its overlap of
computing and adding). One process leads: it alone reads files, looks at the clock, judges and
keeps states, and the others are told what it found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch import distributed as dist

from takeroot.errors import ModelError


@dataclass(frozen=True)
class Group:
    """Some processes, this one among them; where it is alone, nothing is exchanged.

    Args:
        rank: Number of this process; 0 leads.
        size: How many processes there are.

    Its methods are called by all of them in the same order.

    Raises:
        ModelError: In each method, if another process has ended.
    """

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process reads, judges and writes."""
        return self.rank == 0

    def same(self, number: float) -> float:
        """The leader's number."""
        if self.size == 1:
            return number
        shared = torch.tensor([number], dtype=torch.float64)
        self._run(dist.broadcast, shared, src=0)
        return float(shared)

    def total(self, number: float) -> float:
        """The sum of every process's number."""
        if self.size == 1:
            return number
        shared = torch.tensor([number], dtype=torch.float64)
        self._run(dist.all_reduce, shared)
        return float(shared)

    def add(self, tensors: Sequence[Tensor]) -> None:
        """Put into each tensor the sum of every process's; they have one shape everywhere."""
        if self.size == 1 or not tensors:
            return
        flat = torch.cat([tensor.flatten() for tensor in tensors])  # one message, not hundreds
        self._run(dist.all_reduce, flat)
        parts = torch.split(flat, [tensor.numel() for tensor in tensors])
        for tensor, part in zip(tensors, parts, strict=True):
            tensor.copy_(part.view_as(tensor))

    def share(self, thing: Any) -> Any:
        """The leader's object, a copy of it in every other process.

        NOTE: objects go from process to process as ``multiprocessing`` sends them, pickled: the
        processes of a group trust each other, and nobody else may reach their network.
        """
        if self.size == 1:
            return thing
        held = [thing if self.leads else None]
        self._run(dist.broadcast_object_list, held, src=0)
        return held[0]

    def _run(self, collective: Any, *given: Any, **options: Any) -> None:
        """A collective operation, its failure explained."""
        try:
            collective(*given, **options)
        except (RuntimeError, ValueError) as error:
            raise ModelError(
                f"process {self.rank} of {self.size}: another process of this training has ended; "
                "see what it said last, then go on with --resume"
            ) from error


ALONE = Group()


def current() -> Group:
    """The processes this one trains with."""
    if not (dist.is_available() and dist.is_initialized()):
        return ALONE
    return Group(dist.get_rank(), dist.get_world_size())
