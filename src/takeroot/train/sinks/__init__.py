"""Where a training can be watched: TensorBoard, Weights & Biases, MLflow, behind one callback.

Each entry opens a sink for a run's folder; it is told the figures of each stage every few steps.
Nothing leaves the machine unless the environment says so (``WANDB_MODE``, ``MLFLOW_TRACKING_URI``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from takeroot.errors import require
from takeroot.train.progress import Progress
from takeroot.train.sinks import mlflow, tensorboard, wandb


class Sink(Protocol):
    """Somewhere that draws curves."""

    def figures(self, stage: str, step: int, figures: Mapping[str, float]) -> None:
        """Figures of a stage after one of its steps."""

    def close(self) -> None:
        """The run is over; what is not written yet is now."""


Open = Callable[[Path, Mapping[str, Any]], Sink]  # the run's folder, and its settings to show

SINKS: dict[str, Open] = {
    "mlflow": mlflow.MlflowSink,
    "tensorboard": tensorboard.TensorBoardSink,
    "wandb": wandb.WandbSink,
}


class Watched:
    """A progress that tells sinks, too.

    A sink is opened when there is something to draw, so that a run refused for its data leaves
    nothing behind. A training is worth more than its curves: a sink that fails is named once, and
    then left out.

    Args:
        progress: Is told everything first.
        opens: How each sink is opened, by name.
        out: The run's folder.
        settings: What the run was made with, shown beside its curves.
    """

    def __init__(
        self, progress: Progress, opens: Mapping[str, Open], out: Path, settings: Mapping[str, Any]
    ) -> None:
        self._progress = progress
        self._closed = dict(opens)
        self._open: dict[str, Sink] = {}
        self._out, self._settings = out, settings

    def note(self, message: str) -> None:
        """Pass a sentence on."""
        self._progress.note(message)

    def step(self, stage: str, done: int, total: int, figures: Mapping[str, float]) -> None:
        """Pass a step on, and its figures to the sinks."""
        self._progress.step(stage, done, total, figures)
        if not figures:
            return
        for name in list(self._closed):
            self._attempt(name, self._start)
        for name in list(self._open):
            self._attempt(name, lambda each: self._open[each].figures(stage, done, figures))

    def close(self) -> None:
        """End all sinks."""
        for name in list(self._open):
            self._attempt(name, lambda each: self._open.pop(each).close())

    def _start(self, name: str) -> None:
        """Open a sink."""
        self._open[name] = self._closed.pop(name)(self._out, self._settings)

    def _attempt(self, name: str, act: Callable[[str], None]) -> None:
        """Do something with a sink; one that fails is told no more."""
        try:
            act(name)
        except Exception as error:  # whatever a library of others raises
            self._open.pop(name, None)
            reason = (str(error).splitlines() or [""])[0]
            self._progress.note(f"warning: fit.watch: {name} failed and is left out: {reason}")


@contextmanager
def watched(
    progress: Progress, names: Sequence[str], out: Path, settings: Mapping[str, Any]
) -> Iterator[Progress]:
    """``progress``, told to these sinks as well inside the block.

    Args:
        progress: Is told everything.
        names: Keys of ``SINKS``; also what their packages and extras are called.
        out: The run's folder.
        settings: What the run was made with, shown beside its curves.

    Raises:
        MissingExtraError: If a sink's package is not installed.
    """
    for name in names:
        require(name, extra=name)
    show = Watched(progress, {name: SINKS[name] for name in names}, out, settings)
    try:
        yield show
    finally:
        show.close()


def flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, str | int | float | bool]:
    """Settings by dotted name, without those that are not set."""
    found: dict[str, str | int | float | bool] = {}
    for key, value in settings.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{key}.")
        elif value is not None:
            plain = isinstance(value, str | int | float | bool)
            found[prefix + key] = value if plain else str(value)
    return found


__all__ = ["SINKS", "Sink", "Watched", "flat", "watched"]
