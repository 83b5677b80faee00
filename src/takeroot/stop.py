"""How a run is asked to stop: at the next step of a training, or at once outside of one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Stopped(KeyboardInterrupt):
    """The run was asked to stop, and did.

    Like Ctrl-C, and unlike an error, nothing on the way may take it for one.

    Args:
        run: The run's folder, if it can be gone on with.
    """

    def __init__(self, run: Path | None = None) -> None:
        super().__init__()
        self.run = run


class Stop:
    """A wish to stop. Set by a signal handler, heeded by the thread it interrupts."""

    def __init__(self) -> None:
        self.wanted = False
        self._awaited = False

    @contextmanager
    def awaited(self) -> Iterator[None]:
        """Inside the block somebody looks at ``wanted`` every few moments."""
        self._awaited = True
        try:
            yield
        finally:
            self._awaited = False

    def ask(self) -> None:
        """Ask to stop.

        Raises:
            Stopped: If nobody would look, or if it was asked before.
        """
        asked, self.wanted = self.wanted, True
        if asked or not self._awaited:
            raise Stopped
