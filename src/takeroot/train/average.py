"""Exponential moving average of a model's weights (Polyak & Juditsky 1992).

The average of the last steps is better than the last step, and costs one pass over the weights.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from takeroot.train.shard import local


class Average:
    """The average of some parameters.

    Args:
        parameters: What is averaged.
        decay: Share of the average that a step keeps; 0 makes it the parameters themselves.
    """

    def __init__(self, parameters: Sequence[Tensor], decay: float) -> None:
        self._parameters = [local(p) for p in parameters]
        self._decay = decay
        self._values = [p.clone() for p in self._parameters] if decay else None

    def update(self, step: int) -> None:
        """Take in the parameters after a step, numbered from 0.

        The first steps weigh more than the decay alone would let them, so that the weights
        training began with are forgotten.
        """
        if self._values is not None:
            decay = min(self._decay, (1 + step) / (10 + step))
            with torch.no_grad():
                torch._foreach_lerp_(self._values, self._parameters, 1 - decay)

    def keep(self) -> None:
        """Put the average into the parameters for good."""
        if self._values is not None:
            self._put(self._values)

    @contextmanager
    def swapped(self) -> Iterator[None]:
        """The parameters hold the average inside the block, and their own values after it."""
        own = [p.detach().clone() for p in self._parameters] if self._values is not None else []
        self.keep()
        try:
            yield
        finally:
            if own:
                self._put(own)

    def values(self) -> list[Tensor]:
        """The average of each parameter; none where there is no average."""
        return self._values or []

    def restore(self, values: Sequence[Tensor]) -> None:
        """Go on from what ``values`` gave."""
        for own, value in zip(self._values or [], values, strict=True):
            own.copy_(value)

    def _put(self, values: list[Tensor]) -> None:
        with torch.no_grad():
            torch._foreach_copy_(self._parameters, values)
