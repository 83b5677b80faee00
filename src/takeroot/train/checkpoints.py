"""Where a run keeps the states of its trainings, when it does so, and which of them it keeps.

Each training of a run has a folder of its own, numbered in the order of the trainings: a run that
is gone on with does the same trainings in the same order. The newest two states of a training are
kept until it is over, then its result alone. A state is removed only after a newer one has been
read back and found whole. The best weights so far are part of every state.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from takeroot.errors import CheckpointError, DiskFullError
from takeroot.stop import Stop, Stopped
from takeroot.train import checkpoint
from takeroot.train.checkpoint import PARTIAL, Snapshot
from takeroot.train.progress import Progress, Silent
from takeroot.train.step_log import StepLog

KEPT = 2  # states of a training: if one is damaged, there is another
RESULT = "result"  # of a training that is over
FREE = 2  # times a state's size that must be free on the disk before the first is written


class Checkpoints:
    """The states of one run's trainings.

    Args:
        folder: Where they are kept; made when the first is written.
        logs: Where each training's steps are listed, a file each; None for nowhere.
        every_s: Seconds between two states; None for none but when asked to stop.
        stop: Whether the run is to stop.
        progress: Is told about damage.
        kept: Called after each state that was kept.
    """

    def __init__(
        self,
        folder: Path,
        *,
        logs: Path | None = None,
        every_s: float | None = None,
        stop: Stop | None = None,
        progress: Progress | None = None,
        kept: Callable[[], None] = lambda: None,
    ) -> None:
        self.folder = folder
        self.every_s = every_s
        self.stop = stop or Stop()
        self.progress = progress or Silent()
        self.kept = kept
        self._logs = logs
        self._count = 0

    def stage(self, name: str) -> Stage:
        """The place of the run's next training."""
        self._count += 1
        place = f"{self._count:02d}-{re.sub(r'[^a-z0-9]+', '-', name.lower())}".strip("-")
        log = None if self._logs is None else StepLog(self._logs / f"{place}.jsonl", self.progress)
        return Stage(self, self.folder / place, log)


class Stage:
    """The states of one training."""

    def __init__(self, run: Checkpoints, folder: Path, log: StepLog | None) -> None:
        self.folder = folder
        self.log = log
        self._run = run
        self._last = time.monotonic()

    def newest(self) -> Snapshot | None:
        """The newest whole state; what was left half-written, or is damaged, is removed."""
        for path in self._found(f".*{PARTIAL}*"):
            shutil.rmtree(path)
        for path in reversed(self._states()):
            try:
                snapshot = checkpoint.read(path)
            except CheckpointError as error:
                self._run.progress.note(
                    f"warning: {error}; this checkpoint is left out and the one before it is used"
                )
                shutil.rmtree(path)
            else:
                self._run.progress.note(f"going on from {path}")
                return snapshot
        return None

    def check_space(self, size_bytes: int) -> None:
        """Refuse to begin where the states would not fit.

        Args:
            size_bytes: Of one state.

        Raises:
            DiskFullError: If less than twice that is free.
        """
        place = self.folder
        while not place.exists():
            place = place.parent
        free = shutil.disk_usage(place).free
        if self._run.every_s is not None and free < FREE * size_bytes:
            raise DiskFullError(
                f"{place}: {free / 1e6:.0f} MB are free, checkpoints need "
                f"{FREE * size_bytes / 1e6:.0f} MB; free some, or set fit.checkpoint_s to null"
            )

    def due(self) -> bool:
        """Whether it is time for a state, or the run is to stop."""
        every_s = self._run.every_s
        late = every_s is not None and time.monotonic() - self._last >= every_s
        return self._run.stop.wanted or late

    def offer(self, step: int, take: Callable[[], Snapshot]) -> None:
        """Keep a state if it is time to, or if the run is to stop.

        Args:
            step: How many steps are done.
            take: Gives the state.

        Raises:
            Stopped: If the run is to stop; its state is kept.
            CheckpointError: If it cannot be written.
            DiskFullError: If the disk is full.
        """
        stop = self._run.stop.wanted
        if self.due():
            self._keep(f"step-{step:08d}", take(), KEPT)
            self._last = time.monotonic()
        if stop:
            raise Stopped

    def finish(self, take: Callable[[], Snapshot]) -> None:
        """Keep the result in place of all states."""
        if self._run.every_s is not None:
            self._keep(RESULT, take(), 1)

    def _keep(self, name: str, snapshot: Snapshot, kept: int) -> None:
        """Write a state, read it back, and only then remove older ones."""
        checkpoint.write(self.folder / name, snapshot)
        checkpoint.verify(self.folder / name)
        for path in self._states()[:-kept]:
            shutil.rmtree(path)
        self._run.kept()

    def _states(self) -> list[Path]:
        """Oldest first; a result comes last."""
        return self._found("step-*") + self._found(RESULT)

    def _found(self, pattern: str) -> list[Path]:
        return sorted(self.folder.glob(pattern)) if self.folder.is_dir() else []
