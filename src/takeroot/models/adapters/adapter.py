"""What an adapter is: new parameters inside an encoder, that end as part of what is served."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Protocol

from torch import Tensor, nn


@dataclass(frozen=True)
class Attached:
    """An adapter in its place.

    Args:
        merge: Makes it part of the encoder, in place: into the weights where that can be, else as
            constants of the graph. It can be called once; outputs stay the same.
        after_step: Called with the number of steps so far and that of all, after each one and while
            its gradients are still there.
        settle: Called after the last step, before the adapter is used.
        penalty: Added to the loss.
    """

    merge: Callable[[], None] = lambda: None
    after_step: Callable[[int, int], None] | None = None
    settle: Callable[[], None] = lambda: None
    penalty: Callable[[], Tensor] | None = None


class Adapter(Protocol):
    """A kind of adapter with its settings; implementations are frozen dataclasses.

    ``attach`` changes the encoder in place, and nothing but what it adds may ask for gradients. An
    encoder with an adapter just attached computes what it did before.
    """

    rate: ClassVar[float]  # times full fine-tuning's learning rate, where the recipe gives none

    def fits(self, encoder: nn.Module) -> bool:
        """Whether the encoder has the parts that this kind adapts."""

    def attach(self, encoder: nn.Module, lowest: int) -> Attached:
        """Put the adapter into the encoder's layers from number ``lowest`` on.

        Raises:
            RecipeError: If its settings match nothing in the encoder.
        """
