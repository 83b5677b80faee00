"""How far a fit is, on stderr: notes as lines, and a bar where a person watches a terminal."""

from __future__ import annotations

import sys
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


class Shown:
    """Shows a fit's progress on ``bar``'s console.

    Args:
        bar: The running bar.
        live: Whether a person watches; else only notes are shown.
    """

    def __init__(self, bar: Progress, live: bool) -> None:
        self._bar = bar
        self._live = live
        self._stages: dict[str, TaskID] = {}

    def note(self, message: str) -> None:
        """Print one sentence."""
        self._bar.console.print(escape(message), soft_wrap=True)

    def step(self, stage: str, done: int, total: int, figures: Mapping[str, float]) -> None:
        """Move the stage's bar; a stage that is over keeps its line."""
        if not self._live:
            return
        if stage not in self._stages:
            self._stages[stage] = self._bar.add_task(escape(stage), figures="")
        shown = " ".join(f"{name} {value:.4g}" for name, value in figures.items())
        self._bar.update(self._stages[stage], completed=done, total=total, figures=shown)


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
