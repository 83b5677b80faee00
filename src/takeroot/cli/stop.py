"""SIGTERM and Ctrl-C during a training: its state is kept, and then it ends."""

from __future__ import annotations

import shlex
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from takeroot.cli.output import Result
from takeroot.stop import Stop, Stopped

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Signals(Stop):
    """A wish to stop that signals set; the last of them is remembered."""

    def __init__(self) -> None:
        super().__init__()
        self.last = 0

    def take(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal; the second does not wait for the next step."""
        self.last = number
        self.ask()


@contextmanager
def stoppable() -> Iterator[Signals]:
    """Inside the block the signals ask to stop; one that the caller has ignored stays ignored."""
    stop = Signals()
    before = {
        number: signal.signal(number, stop.take)
        for number in SIGNALS
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def end_of(stopped: Stopped, signals: Signals, command: str) -> Result:
    """How a command ends that was asked to stop: well after SIGTERM, if it can be gone on with.

    Raises:
        KeyboardInterrupt: After Ctrl-C, or where nothing was kept.
    """
    if stopped.run is None or signals.last != signal.SIGTERM:
        raise KeyboardInterrupt from stopped
    again = f"takeroot {command} --resume {shlex.quote(str(stopped.run))}"
    payload = {"stopped": True, "run": str(stopped.run), "resume": again}
    return Result(payload, lambda: [f"stopped; to go on: {again}"])
