"""Every step of a training as a line of JSON, for whoever watches it or draws its curves."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from takeroot.errors import TakerootError
from takeroot.files import write_text
from takeroot.train.progress import Progress


class StepLog:
    """Appends to one file. A training is worth more than its log: if it fails, it ends.

    Args:
        path: The file; its folder is made.
        progress: Is told if the file cannot be written.
    """

    def __init__(self, path: Path, progress: Progress) -> None:
        self._path = path
        self._progress = progress
        self._broken = False

    def rewind(self, step: int) -> None:
        """Forget the lines after a step: they will be written again."""
        kept = [line for line in self._lines() if _step_of(line) <= step]
        self._attempt("".join(f"{line}\n" for line in kept), anew=True)

    def add(self, figures: Mapping[str, float]) -> None:
        """Write a line; numbers that JSON lacks become null."""
        values = {k: v if math.isfinite(v) else None for k, v in figures.items()}
        self._attempt(json.dumps(values) + "\n")

    def _attempt(self, text: str, *, anew: bool = False) -> None:
        """Write, or say once that it cannot be done."""
        if self._broken:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            if anew:
                write_text(self._path, text)
            else:
                with self._path.open("a", encoding="utf-8") as file:
                    file.write(text)
        except (OSError, TakerootError) as error:
            self._broken = True
            self._progress.note(f"warning: {self._path}: steps are no longer listed: {error}")

    def _lines(self) -> list[str]:
        with suppress(OSError):
            return self._path.read_text(encoding="utf-8").splitlines()
        return []


def _step_of(line: str) -> float:
    """The step a line tells of; a line cut short by a crash tells of none."""
    try:
        return float(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return math.inf
