"""A log line that comes once a minute at most, however often its cause does."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from threading import Lock

EVERY_S = 60.0


class Seldom:
    """An error that is logged at once, then a minute later at the earliest, with its number.

    It may be told from several threads.

    Args:
        log: Where to.
        message: Has a place for the number (``%d``) and one for the cause (``%s``).
        clock: Gives seconds.
    """

    def __init__(
        self, log: logging.Logger, message: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._log, self._message, self._clock = log, message, clock
        self._lock = Lock()
        self._last_s = float("-inf")
        self._untold = 0
        self._cause: object = None

    def tell(self, count: int, cause: object) -> None:
        """Log that it happened ``count`` times more, or keep it for the next line."""
        with self._lock:
            self._untold += count
            self._cause = cause
            now = self._clock()
            if now - self._last_s < EVERY_S:
                return
            self._last_s = now
        self.flush()

    def flush(self) -> None:
        """Log what was kept, if anything was."""
        with self._lock:
            untold, self._untold = self._untold, 0
        if untold:
            self._log.error(self._message, untold, self._cause)
