"""How far a fit is, on stderr: notes as lines, and a bar where a person watches a terminal.

Without a terminal (a log file, a container) a line every half minute stands for the bar.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

LINE_EVERY_S = 30.0  # without a terminal


class Shown:
    """Shows a fit's progress on ``bar``'s console.

    Args:
        bar: The running bar.
        live: Whether a person watches; else lines are printed, at most one in ``line_every_s``.
        line_every_s: Seconds.
    """

    def __init__(self, bar: Progress, live: bool, line_every_s: float = LINE_EVERY_S) -> None:
        self._bar = bar
        self._live = live
        self._line_every_s = line_every_s
        self._stages: dict[str, TaskID] = {}
        self._stage = ""  # of the last step without a terminal
        self._began = self._told = time.monotonic()
        self._at_first = 0  # steps of the stage done by then: a resumed one does not begin at none

    def note(self, message: str) -> None:
        """Print one sentence."""
        self._bar.console.print(escape(message), soft_wrap=True)

    def step(self, stage: str, done: int, total: int, figures: Mapping[str, float]) -> None:
        """Move the stage's bar; a stage that is over keeps its line."""
        shown = " ".join(f"{name} {value:.4g}" for name, value in figures.items())
        if not self._live:
            self._tell(stage, done, total, shown)
            return
        if stage not in self._stages:
            self._stages[stage] = self._bar.add_task(
                escape(stage), completed=done, total=total, figures=""
            )
        self._bar.update(self._stages[stage], completed=done, total=total, figures=shown)

    def _tell(self, stage: str, done: int, total: int, figures: str) -> None:
        """Print a line, unless the last is too fresh."""
        now = time.monotonic()
        if stage != self._stage:
            self._stage, self._began, self._told, self._at_first = stage, now, now, done
        if now - self._told < self._line_every_s or not self._at_first < done < total:
            return
        self._told = now
        left_s = (now - self._began) * (total - done) / (done - self._at_first)
        line = f"{stage}: {done:,} of {total:,}, about {left_s:.0f} s left"
        self.note(f"{line}, {figures}" if figures else line)


@contextmanager
def shown() -> Iterator[Shown]:
    """A progress display on stderr for the time of the block."""
    console = Console(file=sys.stderr, highlight=False)
    live = console.is_terminal
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[figures]}"),
    )
    with Progress(*columns, console=console, disable=not live, redirect_stdout=False) as bar:
        yield Shown(bar, live)
