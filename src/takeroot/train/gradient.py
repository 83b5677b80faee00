"""The gradient of a batch, computed in parts that memory allows; they add up to the same.

Where memory runs out, the parts are halved for the rest of the training, at most four times.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from takeroot.errors import OutOfMemoryError
from takeroot.train.memory import ran_out
from takeroot.train.objective import Objective

MOST_TOKENS = 2048  # padded tokens computed at once: what memory grows with
HALVINGS = 4


class Gradient:
    """Puts a batch's gradient into a model's parameters.

    Args:
        model: The network.
        objective: Gives the loss.
        rows: All training rows.
        lengths: Of the rows, in tokens (N,).
        precision: Format of the matrix products.
    """

    def __init__(
        self,
        model: nn.Module,
        objective: Objective,
        rows: Sequence[Any],
        lengths: np.ndarray,
        precision: torch.dtype,
    ) -> None:
        self._model, self._objective, self._rows = model, objective, rows
        self._lengths, self._precision = lengths, precision
        self.most_tokens = MOST_TOKENS
        self.halvings = 0

    def add(self, batches: Sequence[np.ndarray]) -> float:
        """Add the gradient of the mean loss over some batches, and give that loss.

        Raises:
            OutOfMemoryError: If memory is too short for even the smallest parts.
        """
        while True:
            dice = torch.get_rng_state()
            try:
                return self._sum_of_parts(batches)
            except (MemoryError, RuntimeError) as error:
                if not ran_out(error):
                    raise
                self._halve(batches, error)
            self._model.zero_grad(set_to_none=True)
            torch.set_rng_state(dice)

    def _sum_of_parts(self, batches: Sequence[np.ndarray]) -> float:
        """The mean loss over the batches; each part counts by what its own loss is the mean of."""
        each = [[self._rows[k] for k in part] for numbers in batches for part in self._cut(numbers)]
        sizes = [self._objective.decisions(rows) for rows in each]
        total = 0.0
        for rows, size in zip(each, sizes, strict=True):
            loss = self._objective.loss(self._model, rows, self._precision)
            loss = loss * (size / max(sum(sizes), 1))
            loss.backward()  # type: ignore[no-untyped-call]
            total += float(loss.detach())
        return total

    def _cut(self, numbers: np.ndarray) -> list[np.ndarray]:
        """A batch in parts of at most ``most_tokens``; whole where its rows belong together."""
        if self._objective.whole:
            return [numbers]
        tokens = int(self._lengths[numbers].max()) * len(numbers)
        return np.array_split(numbers, min(math.ceil(tokens / self.most_tokens), len(numbers)))

    def _halve(self, batches: Sequence[np.ndarray], error: Exception) -> None:
        """Compute smaller parts from now on."""
        parts = [part for numbers in batches for part in self._cut(numbers)]
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
