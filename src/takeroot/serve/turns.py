"""Connections that were just refused are read again a few at a time.

Beyond capacity a thousand clients may ask again at once. If the event loop read them all before it
turned to anything else, a round of it took a tenth of a second, in which workers wait for texts,
answers for being passed on, and gRPC, which accepts one call a round, for everything.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

ROUND = 16  # connections read in one round of the event loop, about a millisecond's work


class Turns:
    """Who waits to be read again, in the order of refusals."""

    def __init__(self) -> None:
        self._waiting: deque[Callable[[], None]] = deque()
        self._due = False

    def wait(self, resume: Callable[[], None]) -> None:
        """Have ``resume`` called in a coming round of the event loop."""
        self._waiting.append(resume)
        if not self._due:
            self._due = True
            asyncio.get_running_loop().call_soon(self._next)

    def _next(self) -> None:
        """Call the first of those who wait."""
        for _ in range(min(ROUND, len(self._waiting))):
            self._waiting.popleft()()
        self._due = bool(self._waiting)
        if self._due:
            asyncio.get_running_loop().call_soon(self._next)
