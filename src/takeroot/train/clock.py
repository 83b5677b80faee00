"""How much of a run's time is left."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Clock:
    """The time limit of a run.

    Args:
        limit_s: Seconds for the whole run, or None.
        started: ``time.monotonic()`` at its start.
        recall: Gives the reading of an earlier process in place of a new one, where there is one.
    """

    limit_s: float | None
    started: float = field(default_factory=time.monotonic)
    recall: Callable[[Callable[[], float]], float] = lambda read: read()

    def spent(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started

    def left(self, reserve_s: float = 0.0) -> float | None:
        """Seconds left when ``reserve_s`` are kept for later; None without a limit."""
        limit_s = self.limit_s
        return None if limit_s is None else self.recall(lambda: limit_s - self.spent() - reserve_s)
