"""The folder of a run while it is made: what it is made from, and the states of its trainings.

A run that was cut off is gone on with by doing the same again: its recipe is kept, every step of
the way is determined by it, and each training takes up its newest state. What was measured with
the clock (time that was left, the quicker number format) would come out differently; so it is kept
as well, and not measured again.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel

from takeroot.bundle.cores import usable_cores
from takeroot.errors import (
    CheckpointError,
    DataError,
    DiskFullError,
    ModelError,
    RecipeError,
)
from takeroot.files import FULL, write_text
from takeroot.machine import cpu_flags, processor, versions
from takeroot.recipe import WRITING, Recipe, from_dict
from takeroot.stop import Stop, Stopped
from takeroot.train.checkpoints import Checkpoints
from takeroot.train.clock import Clock
from takeroot.train.progress import Progress

FORMAT = 1
RUN = "run.json"
STATES = "checkpoints"
REJECTS = "rejects.csv"  # rows that could not be used, and why
STEPS = "steps"  # of each training, a JSON line each
LITTER = (".*.tmp", ".bundle.partial-*", f"{STEPS}/.*.tmp")  # what a killed process leaves
HOPELESS = (DataError, ModelError, RecipeError)  # going on would end in the same error


@dataclass(frozen=True)
class Run:
    """A finished fit.

    Args:
        path: The run's folder.
        bundle: The bundle in it.
        summary: What ``fit --json`` prints.
    """

    path: Path
    bundle: Path
    summary: dict[str, Any]


def recipe_of(folder: Path) -> Recipe:
    """The recipe of a run that is to be gone on with.

    Raises:
        CheckpointError: If the folder holds no such run.
    """
    values = values_of(folder)
    recipe, home = values["recipe"], Path(values["folder"])
    for name in ("path", "test", "unlabelled"):
        if recipe["data"].get(name) is not None:
            recipe["data"][name] = str(home / recipe["data"][name])
    for also in recipe["data"]["also"]:
        if also["path"] is not None:
            also["path"] = str(home / also["path"])
    for part, name in ((recipe, "model"), (recipe["fit"], "augment_model")):
        if part.get(name) is not None and (home / part[name]).is_dir():
            part[name] = str(home / part[name])
    return from_dict(recipe)


def writes(folder: Path) -> bool:
    """Whether the run in a folder makes a model that writes texts."""
    return (folder / RUN).is_file() and recipe_of(folder).task in WRITING


def gone_on_with(
    out: Path,
    fit_recipe: Callable[..., Run],
    summary_of: Callable[[Path, Mapping[str, Any]], dict[str, Any]],
    **given: Any,
) -> Run:
    """The run in ``out``, made to its end; one that is over is left as it is.

    Args:
        out: The run's folder.
        fit_recipe: Makes or goes on with a run.
        summary_of: Says of a bundle, by its evidence, what ``fit_recipe`` says of it.
        given: Further arguments of ``fit_recipe``.

    Raises:
        CheckpointError: If there is no such run, or it began with something else.
    """
    if not (out / "bundle").is_dir():
        return fit_recipe(recipe_of(out), out, resume=True, **given)
    clear(out)
    evidence = {
        path.stem: json.loads(path.read_text(encoding="utf-8"))
        for path in (out / "bundle" / "evidence").glob("*.json")
    }
    return Run(out, out / "bundle", summary_of(out / "bundle", evidence))


@dataclass(frozen=True)
class Kept:
    """What a run goes on from.

    Args:
        clock: Gives the readings of an earlier process in place of new ones.
        keep: Where the states of its trainings are kept.
        measured: Called with a name and what measures it; what an earlier process of the run has
            measured is not measured again.
    """

    clock: Clock
    keep: Checkpoints
    measured: Callable[[str, Callable[[], Any]], Any]


@contextmanager
def keeping(  # noqa: PLR0913  one of each
    out: Path,
    recipe: BaseModel,
    source: Mapping[str, Any],
    clock: Clock,
    progress: Progress,
    *,
    every_s: float | None,
    again: str,
    resume: bool,
    stop: Stop | None,
) -> Iterator[Kept]:
    """Inside the block, the run's folder keeps what is needed to go on after a crash.

    Args:
        out: The run's folder.
        recipe: What the run does.
        source: What it is made from, by name: rows and model, as hashes.
        clock: Its time limit.
        progress: Where to report to.
        every_s: Seconds between two states of a training; None for none.
        again: The command that goes on with the run.
        resume: Whether to go on with the run that is there.
        stop: Asked to stop.

    Yields:
        A clock and trainings that go on from what is kept.

    Raises:
        CheckpointError: If the run that is there was made from something else.
        Stopped: If ``stop`` was asked to; the run can be gone on with.
    """
    made = [] if resume else [path for path in (out, *out.parents) if not path.exists()]
    with _alone(out):
        try:
            run = _Run(out, recipe, facts_of(source), resume, progress, every_s)
        except BaseException:  # Ctrl-C as well
            if not resume:
                _remove(out, made)
            raise
        try:
            yield run.kept(clock, stop)
        except BaseException as error:
            worth = resume or any(run.states.glob("*/[!.]*"))
            if worth and not isinstance(error, HOPELESS):
                progress.note(f"to go on: {again}")
            elif not resume:
                _remove(out, made)
            if worth and isinstance(error, Stopped):
                raise Stopped(out) from error
            raise
        clear(out)


def clear(out: Path) -> None:
    """Remove what only a run that is not finished needs, and what a killed process left."""
    shutil.rmtree(out / STATES, ignore_errors=True)
    _sweep(out)


def _sweep(out: Path) -> None:
    """Remove what a killed process left half-written."""
    for pattern in LITTER:
        for path in out.glob(pattern):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def facts_of(source: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What a run is made from, and what it is made with."""
    means = {
        "packages": {name: each for name, each in versions().items() if name != "takeroot"},
        "torch threads": torch.get_num_threads(),
        "cores": usable_cores(),
        "processor": processor(),
        "cpu flags": cpu_flags(),
    }
    return {"source": {"takeroot": versions()["takeroot"], **source}, "means": means}


def named(name: str, sha256: str) -> str:
    """A file as a run remembers it."""
    return f"{name} (sha256 {sha256})"


class _Run:
    """What is written to run.json, from the first moment on."""

    def __init__(
        self,
        out: Path,
        recipe: BaseModel,
        facts: dict[str, Any],
        resume: bool,
        progress: Progress,
        every_s: float | None,
    ) -> None:
        self.states = out / STATES
        self._progress, self._every_s = progress, every_s
        self._path = out / RUN
        self._reads = 0
        if resume:
            self._values = values_of(out)
            self._check(facts)
            _sweep(out)
        else:
            values = recipe.model_dump(mode="json")
            start = {"format": FORMAT, "recipe": values, "folder": str(Path.cwd()), **facts}
            self._values = {**start, "measured": {}, "spent_s": 0.0}
        self._started = time.monotonic() - self._values["spent_s"]
        self._write()

    def kept(self, clock: Clock, stop: Stop | None) -> Kept:
        """What the run goes on from."""
        keep = Checkpoints(
            self.states,
            logs=self._path.with_name(STEPS),
            every_s=self._every_s,
            stop=stop,
            progress=self._progress,
            kept=self._write,
        )
        clock = replace(clock, recall=self._time_left)
        earlier_s = self._values["spent_s"]
        return Kept(replace(clock, started=clock.started - earlier_s), keep, self._measured)

    def _measured(self, name: str, measure: Callable[[], Any]) -> Any:
        """What was measured under that name, in this process or an earlier one."""
        measured = self._values["measured"]
        if name not in measured:
            measured[name] = measure()
            self._write()
        return measured[name]

    def _time_left(self, read: Callable[[], float]) -> float:
        """A reading of the clock; the readings of a run come in the same order each time."""
        self._reads += 1
        return float(self._measured(f"time left {self._reads}", read))

    def _write(self) -> None:
        self._values["spent_s"] = time.monotonic() - self._started
        write_text(self._path, json.dumps(self._values, indent=1) + "\n")

    def _check(self, facts: Mapping[str, Any]) -> None:
        """Refuse another source; say aloud what may change the last bits of the weights."""
        for name, own in facts["source"].items():
            if (was := self._values["source"].get(name)) != own:
                raise CheckpointError(
                    f"{self._path}: {name}: the run began with {was}, now it is {own}; "
                    "a run goes on with what it began with only"
                )
        for name, was, own in _differences(self._values["means"], facts["means"]):
            self._progress.note(
                f"warning: {name}: the run began with {was}, now it is {own}; the model will be as "
                "good, but may differ in its last bits from that of a run in one go"
            )


def _differences(
    before: Mapping[str, Any], now: Mapping[str, Any]
) -> Iterator[tuple[str, Any, Any]]:
    """Name, old and new value of what differs."""
    for name, own in now.items():
        was = before.get(name)
        if isinstance(own, dict) and isinstance(was, dict):
            yield from _differences(was, own)
        elif was != own:
            yield name, was, own


def values_of(folder: Path) -> dict[str, Any]:
    """What run.json says of the run in a folder.

    Raises:
        CheckpointError: If there is none, or it is not as it was written.
    """
    path = folder / RUN
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CheckpointError(
            f"--resume {folder}: holds no run that can be gone on with ({RUN} is missing)"
        ) from error
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path}: cannot be read: {error}") from error
    found = values.get("format") if isinstance(values, dict) else None
    if found != FORMAT:
        raise CheckpointError(f"{path}: format {found!r} is unknown; this version reads {FORMAT}")
    return dict(values)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """The folder, where nobody else works; the lock ends with the process, however it ends."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError as error:
        if error.errno in FULL:
            raise DiskFullError(f"{folder}: no space left on the disk") from error
        raise RecipeError(f"--out {folder}: cannot be made: {error.strerror}") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CheckpointError(f"{folder}: another process works on this run") from error
        yield
    finally:
        os.close(descriptor)


def _remove(out: Path, made: list[Path]) -> None:
    """Leave nothing of a run that failed before anything was worth keeping."""
    for name in (STATES, STEPS):
        shutil.rmtree(out / name, ignore_errors=True)
    with suppress(OSError):
        for name in (RUN, REJECTS):
            (out / name).unlink(missing_ok=True)
        for folder in made:  # until somebody else uses one
            folder.rmdir()
