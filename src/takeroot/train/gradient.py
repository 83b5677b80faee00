"""The gradient of a batch, computed in parts that memory allows; they add up to the same.

Where memory runs out, the parts are halved for the rest of the training, at most four times.
Of several processes that train together, each computes the parts of every k-th row.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from takeroot.errors import OutOfMemoryError
from takeroot.train.config import TrainConfig
from takeroot.train.group import ALONE, Group
from takeroot.train.memory import ran_out
from takeroot.train.objective import Objective
from takeroot.train.shard import is_shard, local

HALVINGS = 4


class Gradient:
    """Puts a batch's gradient into a model's parameters.

    Args:
        model: The network.
        objective: Gives the loss.
        rows: All training rows.
        lengths: Of the rows, in tokens (N,).
        precision: Format of the matrix products.
        group: The processes that share the work.
        most_tokens: Padded tokens computed at once.
    """

    def __init__(
        self,
        model: nn.Module,
        objective: Objective,
        rows: Sequence[Any],
        lengths: np.ndarray,
        precision: torch.dtype,
        group: Group = ALONE,
        most_tokens: int = TrainConfig.part_tokens,
    ) -> None:
        self._model, self._objective, self._rows = model, objective, rows
        self._lengths, self._precision = lengths, precision
        self._group = group
        self._sharded = any(is_shard(parameter) for parameter in model.parameters())
        self.most_tokens = most_tokens
        self.halvings = 0

    def add(self, batches: Sequence[np.ndarray]) -> float:
        """Add the gradient of the mean loss over some batches, and give that loss.

        Raises:
            OutOfMemoryError: If memory is too short for even the smallest parts.
        """
        while True:
            dice = torch.get_rng_state()
            loss, lacking = 0.0, None
            try:
                loss = self._sum_of_parts(batches)
            except (MemoryError, RuntimeError) as error:
                if not ran_out(error):
                    raise
                lacking = error
            if not self._group.total(float(lacking is not None)):
                return self._joined(loss)
            self._halve(batches, lacking)
            self._model.zero_grad(set_to_none=True)
            torch.set_rng_state(dice)

    def _sum_of_parts(self, batches: Sequence[np.ndarray]) -> float:
        """This process's part of the mean loss over the batches, and of its gradient.

        Each part counts by what its own loss is the mean of.
        """
        parts = [part for numbers in batches for part in self._parts(numbers)]
        each = [[self._rows[k] for k in part] for part in parts]
        sizes = [self._objective.decisions(rows) if rows else 0 for rows in each]
        whole = self._group.total(sum(sizes)) if self._divided else sum(sizes)
        total = 0.0
        for rows, size in zip(each, sizes, strict=True):
            taken = rows or [self._rows[batches[0][0]]]
            loss = self._objective.loss(self._model, taken, self._precision)
            loss = loss * (size / max(whole, 1))
            loss.backward()  # type: ignore[no-untyped-call]
            total += float(loss.detach())
        return total

    @property
    def _divided(self) -> bool:
        """Whether each process has rows of its own; rows that belong together are not divided."""
        return self._group.size > 1 and not self._objective.whole

    def _parts(self, numbers: np.ndarray) -> list[np.ndarray]:
        """This process's rows of a batch, which is sorted by length, in parts."""
        if not self._divided:
            return self._cut(numbers)
        size = self._group.size
        mine = self._cut(numbers[self._group.rank :: size])
        if self._sharded:  # all go through the layers equally often, or they would wait for ever
            most = max(len(self._cut(numbers[rank::size])) for rank in range(size))
            mine += [numbers[:0]] * (most - len(mine))
        return mine

    def _joined(self, loss: float) -> float:
        """The loss of all processes, whose gradients are added up."""
        if not self._divided:
            return loss
        ours = []
        for parameter in self._model.parameters():
            if is_shard(parameter) and parameter.grad is not None:  # a mean of what are parts
                local(parameter.grad).mul_(self._group.size)
            elif parameter.requires_grad:
                if parameter.grad is None:  # this process had no row
                    parameter.grad = torch.zeros_like(parameter)
                ours.append(parameter.grad)
        self._group.add(ours)
        return self._group.total(loss)

    def _cut(self, numbers: np.ndarray) -> list[np.ndarray]:
        """A batch in parts of at most ``most_tokens``; whole where its rows belong together."""
        if self._objective.whole or not len(numbers):
            return [numbers] if len(numbers) else []
        tokens = int(self._lengths[numbers].max()) * len(numbers)
        return np.array_split(numbers, min(math.ceil(tokens / self.most_tokens), len(numbers)))

    def _halve(self, batches: Sequence[np.ndarray], error: Exception | None) -> None:
        """Compute smaller parts from now on; the error is another process's where it is None."""
        largest = [
            numbers[:: self._group.size] if self._divided else numbers for numbers in batches
        ]
        parts = [part for numbers in largest for part in self._cut(numbers)]
        rows = max(len(part) for part in parts)
        tokens = max(int(self._lengths[part].max()) * len(part) for part in parts)
        if rows == 1 or self._objective.whole or self.halvings == HALVINGS:
            raise OutOfMemoryError(
                f"out of memory with parts of {tokens} tokens in {rows} "
                f"row{'s' * (rows > 1)}; try fit.recompute: true, or a smaller fit.max_tokens or "
                "fit.batch_size"
            ) from error
        self.most_tokens = min(self.most_tokens, tokens) // 2
        self.halvings += 1
