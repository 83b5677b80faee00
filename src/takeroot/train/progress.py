"""How long work tells how far it is: whoever shows it (a terminal, a notebook) implements this."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class Progress(Protocol):
    """Receives what happens during a fit. Called from one thread only."""

    def note(self, message: str) -> None:
        """One sentence worth reading now: an inference, a choice, a warning."""

    def step(self, stage: str, done: int, total: int, figures: Mapping[str, float]) -> None:
        """``done`` of ``total`` steps of a stage are over; ``figures`` may hold loss and metric."""


class Silent:
    """Shows nothing."""

    def note(self, message: str) -> None:
        """Ignore it."""

    def step(self, stage: str, done: int, total: int, figures: Mapping[str, float]) -> None:
        """Ignore it."""
