"""The folder of a run while it is made: what it is made from, and the states of its trainings.

A run that was cut off is gone on with by doing the same again: its recipe is kept, every step of
the way is determined by it, and each training takes up its newest state. What was measured with
the clock (time that was left, the quicker number format) would come out differently; so it is kept
as well, and not measured again.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from takeroot.bundle.cores import usable_cores
from takeroot.errors import (
    CheckpointError,
    DataError,
    DiskFullError,
    ModelError,
    RecipeError,
    TakerootError,
)
from takeroot.files import FULL, write_text
from takeroot.machine import cpu_flags, processor, versions
from takeroot.models.adapters.attach import fingerprint
from takeroot.models.load import Pretrained
from takeroot.recipe import Recipe, from_dict
from takeroot.search.assemble import REJECTS
from takeroot.search.material import Material
from takeroot.search.work import Work
from takeroot.stop import Stop, Stopped
from takeroot.train.checkpoints import Checkpoints

FORMAT = 1
RUN = "run.json"
STATES = "checkpoints"
STEPS = "steps"  # of each training, a JSON line each
LITTER = (".*.tmp", ".bundle.partial-*", f"{STEPS}/.*.tmp")  # what a killed process leaves
HOPELESS = (DataError, ModelError, RecipeError)  # going on would end in the same error


def recipe_of(folder: Path) -> Recipe:
    """The recipe of a run that is to be gone on with.

    Raises:
        CheckpointError: If the folder holds no such run.
    """
    values = _read(folder)
    recipe, home = values["recipe"], Path(values["folder"])
    for name in ("path", "test", "unlabelled"):
        if recipe["data"].get(name) is not None:
            recipe["data"][name] = str(home / recipe["data"][name])
    if (home / recipe["model"]).is_dir():
        recipe["model"] = str(home / recipe["model"])
    return from_dict(recipe)


@contextmanager
def keeping(
    work: Work, found: Material, out: Path, *, resume: bool, stop: Stop | None
) -> Iterator[Work]:
    """Inside the block, the run's folder keeps what is needed to go on after a crash.

    Args:
        work: The run's material.
        found: What its files hold.
        out: The run's folder.
        resume: Whether to go on with the run that is there.
        stop: Asked to stop.

    Yields:
        The material, with a clock and trainings that go on from what is kept.

    Raises:
        CheckpointError: If the run that is there was made from something else.
        Stopped: If ``stop`` was asked to; the run can be gone on with.
    """
    made = [] if resume else [path for path in (out, *out.parents) if not path.exists()]
    with _alone(out):
        try:
            run = _Run(out, work, facts_of(work, found), resume)
        except TakerootError:
            if not resume:
                _remove(out, made)
            raise
        try:
            yield run.material(work, stop)
        except BaseException as error:
            worth = resume or any(run.states.glob("*/[!.]*"))
            if worth and not isinstance(error, HOPELESS):
                work.progress.note(f"to go on: takeroot fit --resume {out}")
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


def facts_of(work: Work, found: Material) -> dict[str, dict[str, Any]]:
    """What a run is made from, and what it is made with."""
    source = {
        "takeroot": versions()["takeroot"],
        "rows": _named(found.train.name, found.train.sha256),
        "test rows": None if found.test is None else _named(found.test.name, found.test.sha256),
        "texts without labels": _hash(repr(found.unlabelled).encode()),
        "model": None if work.pretrained is None else _hash_of_encoder(work.pretrained),
    }
    means = {
        "packages": {name: each for name, each in versions().items() if name != "takeroot"},
        "torch threads": torch.get_num_threads(),
        "cores": usable_cores(),
        "processor": processor(),
        "cpu flags": cpu_flags(),
    }
    return {"source": source, "means": means}


class _Run:
    """What is written to run.json, from the first moment on."""

    def __init__(self, out: Path, work: Work, facts: dict[str, Any], resume: bool) -> None:
        self.states = out / STATES
        self._path = out / RUN
        self._reads = 0
        if resume:
            self._values = _read(out)
            self._check(facts, work)
            _sweep(out)
        else:
            recipe = work.recipe.model_dump(mode="json")
            start = {"format": FORMAT, "recipe": recipe, "folder": str(Path.cwd()), **facts}
            self._values = {**start, "measured": {}, "spent_s": 0.0}
        self._started = time.monotonic() - self._values["spent_s"]
        self._write()

    def material(self, work: Work, stop: Stop | None) -> Work:
        """The material with what is kept put in."""
        keep = Checkpoints(
            self.states,
            logs=self._path.with_name(STEPS),
            every_s=work.recipe.fit.checkpoint_s,
            stop=stop,
            progress=work.progress,
            kept=self._write,
        )
        clock = replace(work.clock, recall=self._time_left)
        earlier_s = self._values["spent_s"]
        clock = replace(clock, started=clock.started - earlier_s)
        return replace(work, clock=clock, keep=keep, measured=self._measured)

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

    def _check(self, facts: Mapping[str, Any], work: Work) -> None:
        """Refuse another source; say aloud what may change the last bits of the weights."""
        for name, own in facts["source"].items():
            if (was := self._values["source"].get(name)) != own:
                raise CheckpointError(
                    f"{self._path}: {name}: the run began with {was}, now it is {own}; "
                    "a run goes on with what it began with only"
                )
        for name, was, own in _differences(self._values["means"], facts["means"]):
            work.progress.note(
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


def _read(folder: Path) -> dict[str, Any]:
    """The values of run.json.

    Raises:
        CheckpointError: If there is none, or it is not as it was written.
    """
    path = folder / RUN
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CheckpointError(
            f"--resume {folder}: holds no run that can be gone on with ({RUN} is missing); "
            "start it with takeroot fit"
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


def _named(name: str, sha256: str) -> str:
    return f"{name} (sha256 {sha256})"


def _hash(data: bytes) -> str:
    return f"sha256 {hashlib.sha256(data).hexdigest()}"


def _hash_of_encoder(pretrained: Pretrained) -> str:
    """One hash of weights and tokenizer."""
    return _hash(pretrained.tokenizer_json + fingerprint(pretrained.encoder).encode())
