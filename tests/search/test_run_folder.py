"""Fits that were cut off, and what is made of them later."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from takeroot.bundle import open_bundle
from takeroot.data import Table
from takeroot.errors import CheckpointError, DataError, DiskFullError, RecipeError
from takeroot.recipe import Recipe
from takeroot.search import Run, fit_recipe, resume
from takeroot.stop import Stop, Stopped

Build = Callable[..., Any]
FIT = {"method": "full", "epochs": 3, "dropout": 0.1, "checkpoint_s": 0.0}
PLACES = ("embedding", "full: accuracy", "fine-tuning on all rows", "exporting")


class Crashed(Exception):
    """Stands for what ends a process, as far as one process can tell."""


@dataclass
class Crashing:
    """Crashes when it is told something that begins with ``place``."""

    place: str = "nowhere"
    error: type[BaseException] = Crashed
    notes: list[str] = field(default_factory=list)

    def note(self, message: str) -> None:
        self.notes.append(message)
        if message.startswith(self.place):
            raise self.error

    def step(self, stage: str, done: int, total: int, figures: Mapping[str, float]) -> None:
        if stage.startswith(self.place):
            raise self.error


@pytest.fixture
def recipe(recipe_of: Build) -> Recipe:
    made: Recipe = recipe_of(task="classify", fit=FIT, abstain={"method": "none"})
    return made


@pytest.fixture(scope="module")
def whole(recipe_of: Build, shop_table: Build, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The run in one go."""
    recipe = recipe_of(task="classify", fit=FIT, abstain={"method": "none"})
    return fit_recipe(recipe, tmp_path_factory.mktemp("whole") / "r", table=shop_table())


def sha256(run: Run) -> str:
    return open_bundle(run.bundle).manifest.model_sha256


def cut(recipe: Recipe, out: Path, table: Table, place: str = "full: accuracy") -> None:
    """A run that ends at a place."""
    with pytest.raises(Crashed):
        fit_recipe(recipe, out, table=table, progress=Crashing(place))


@pytest.mark.parametrize("place", PLACES[2:])
def test_a_run_goes_on_from_its_last_state_to_the_same_model(
    recipe: Recipe, shop_table: Build, whole: Run, tmp_path: Path, place: str
) -> None:
    cut(recipe, tmp_path / "r", shop_table(), place)
    told = Crashing()

    again = resume(tmp_path / "r", table=shop_table(), progress=told)

    assert sha256(again) == sha256(whole)
    assert next(n for n in told.notes if n.startswith("going on from")).endswith("/result")
    assert sorted(path.name for path in (tmp_path / "r").iterdir()) == [
        "bundle",
        "run.json",
        "steps",
    ]


def test_a_run_stopped_in_a_training_says_so_and_goes_on(
    recipe: Recipe, shop_table: Build, whole: Run, tmp_path: Path
) -> None:
    stop, told = Stop(), Crashing()
    stop.wanted = True

    with pytest.raises(Stopped) as caught:
        fit_recipe(recipe, tmp_path / "r", table=shop_table(), progress=told, stop=stop)

    assert caught.value.run == tmp_path / "r"
    assert told.notes[-1] == f"to go on: takeroot fit --resume {tmp_path / 'r'}"
    assert sha256(resume(tmp_path / "r", table=shop_table())) == sha256(whole)


@pytest.mark.parametrize("place", PLACES[:1])
def test_a_run_that_ends_before_anything_is_worth_keeping_leaves_nothing(
    recipe: Recipe, shop_table: Build, tmp_path: Path, place: str
) -> None:
    cut(recipe, tmp_path / "new" / "r", shop_table(), place)

    assert list(tmp_path.iterdir()) == []


def test_a_run_that_is_stopped_while_its_folder_is_made_leaves_nothing(
    recipe: Recipe, shop_table: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = Stop()

    def asked(source: Mapping[str, Any]) -> Any:
        stop.ask()

    monkeypatch.setattr("takeroot.train.run_folder.facts_of", asked)

    with pytest.raises(Stopped):
        fit_recipe(recipe, tmp_path / "new" / "r", table=shop_table(), stop=stop)

    assert list(tmp_path.iterdir()) == []


def test_what_an_error_would_end_again_is_not_kept(
    recipe: Recipe, shop_table: Build, tmp_path: Path
) -> None:
    told = Crashing("full: accuracy", DataError)

    with pytest.raises(DataError):
        fit_recipe(recipe, tmp_path / "r", table=shop_table(), progress=told)

    assert list(tmp_path.iterdir()) == []


def test_other_rows_are_refused_and_the_run_is_left_as_it_is(
    recipe: Recipe, shop_table: Build, tmp_path: Path
) -> None:
    cut(recipe, tmp_path / "r", shop_table())
    before = sorted(tmp_path.rglob("*"))

    with pytest.raises(CheckpointError, match=r"rows: the run began with .*, now it is .*sha256"):
        resume(tmp_path / "r", table=shop_table(33))

    assert sorted(tmp_path.rglob("*")) == before


def test_another_version_of_takeroot_is_refused(
    recipe: Recipe, shop_table: Build, tmp_path: Path
) -> None:
    cut(recipe, tmp_path / "r", shop_table())
    change(tmp_path / "r", "source", "takeroot", "0.0.1")

    with pytest.raises(CheckpointError, match=r"takeroot: the run began with 0\.0\.1, now it is"):
        resume(tmp_path / "r", table=shop_table())


def change(out: Path, part: str, name: str, value: Any) -> None:
    """Let a run have begun with something else."""
    values = json.loads((out / "run.json").read_text())
    values[part][name] = value
    (out / "run.json").write_text(json.dumps(values))


def test_other_threads_are_told_of(recipe: Recipe, shop_table: Build, tmp_path: Path) -> None:
    cut(recipe, tmp_path / "r", shop_table())
    change(tmp_path / "r", "means", "torch threads", 64)
    told = Crashing()

    resume(tmp_path / "r", table=shop_table(), progress=told)

    warning = "warning: torch threads: the run began with 64, now it is"
    assert any(note.startswith(warning) for note in told.notes)


def test_what_was_measured_is_not_measured_again(
    recipe: Recipe, shop_table: Build, whole: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    speedup = [0.5]
    monkeypatch.setattr("takeroot.train.precision.bf16_speedup", lambda: speedup[0])
    cut(recipe, tmp_path / "r", shop_table())
    speedup[0] = 2.0

    again = resume(tmp_path / "r", table=shop_table())

    measured = json.loads((again.path / "run.json").read_text())["measured"]
    assert measured == {"precision": "fp32"}


def test_the_clock_goes_on_and_says_again_what_it_said(
    recipe_of: Build, shop_table: Build, tmp_path: Path
) -> None:
    recipe = recipe_of(fit={**FIT, "time_limit_s": 1000})
    cut(recipe, tmp_path / "r", shop_table())
    change(tmp_path / "r", "measured", "time left 1", -1000.0)

    resume(tmp_path / "r", table=shop_table())

    measured = json.loads((tmp_path / "r" / "run.json").read_text())["measured"]
    assert measured["time left 1"] == -1000.0
    assert 0 < measured["time left 2"] < 1000


def test_a_finished_run_is_left_as_it_is(fit: Build) -> None:
    run = fit(fit={"method": "tfidf"})
    (run.path / ".bundle.partial-1").mkdir()

    again = resume(run.path)

    del again.summary["peak_rss_mb"]
    assert again.summary == {k: v for k, v in run.summary.items() if k != "peak_rss_mb"}
    assert not (run.path / ".bundle.partial-1").exists()


@pytest.mark.parametrize("call", [1, 2, 9, 30])
def test_a_full_disk_ends_a_fit_that_can_be_gone_on_with(
    recipe: Recipe, shop_table: Build, whole: Run, tmp_path: Path, call: int
) -> None:
    calls, real = [], os.fsync

    def flush(file: int) -> None:
        calls.append(file)
        if len(calls) >= call:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(file)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(DiskFullError):
        patch.setattr(os, "fsync", flush)
        fit_recipe(recipe, tmp_path / "r", table=shop_table())

    begun = (tmp_path / "r" / "run.json").exists()
    assert begun or not (tmp_path / "r").exists()
    again = resume if begun else partial(fit_recipe, recipe)
    assert sha256(again(tmp_path / "r", table=shop_table())) == sha256(whole)
    assert not [path for path in tmp_path.rglob(".*")]


def test_a_folder_that_cannot_be_made_is_named(
    recipe: Recipe, shop_table: Build, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(RecipeError, match=r"--out .*/file/r: cannot be made: Not a directory"):
        fit_recipe(recipe, tmp_path / "file" / "r", table=shop_table())


def test_where_there_is_no_run_that_is_said(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"holds no run.*run\.json is missing"):
        resume(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", '{"format": 2}'])
def test_a_run_file_that_cannot_be_read_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.json").write_text(text)

    with pytest.raises(CheckpointError, match=r"run\.json: (cannot be read|format .* is unknown)"):
        resume(tmp_path)


def test_two_processes_do_not_work_on_one_run(
    recipe: Recipe, shop_table: Build, tmp_path: Path
) -> None:
    cut(recipe, tmp_path / "r", shop_table())
    other = os.open(tmp_path / "r", os.O_RDONLY)
    fcntl.flock(other, fcntl.LOCK_EX)

    with pytest.raises(CheckpointError, match="another process works on this run"):
        resume(tmp_path / "r", table=shop_table())

    os.close(other)


def test_paths_of_the_recipe_count_from_where_the_run_began(
    recipe_of: Build, shop_table: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [row.values for row in shop_table().rows]
    lines = ["text,label", *(f"{row['text']},{row['label']}" for row in rows)]
    (tmp_path / "rows.csv").write_text("\n".join(lines), encoding="utf-8")
    recipe = recipe_of(data={"path": "rows.csv"}, fit=FIT)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Crashed):
        fit_recipe(recipe, Path("r"), progress=Crashing("exporting"))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")

    assert resume(tmp_path / "r").bundle.is_dir()


@pytest.mark.slow
def test_a_terminated_command_ends_well_and_goes_on(
    shop_table: Build, encoder_folder: Path, tmp_path: Path
) -> None:
    rows = [row.values for row in shop_table().rows]
    lines = ["text,label", *(f"{row['text']},{row['label']}" for row in rows)]
    (tmp_path / "rows.csv").write_text("\n".join(lines), encoding="utf-8")
    settings = ["--model", encoder_folder, "--set", "fit.method=full", "--set", "fit.epochs=60"]
    running = command(tmp_path, "rows.csv", *settings, "--out", "r")
    assert running.stderr is not None
    for line in running.stderr:
        if line.startswith("full: accuracy"):  # the first of two trainings is over
            break

    running.send_signal(signal.SIGTERM)
    stopped = json.loads(running.communicate()[0])
    resumed = json.loads(command(tmp_path, "--resume", "r").communicate()[0])

    assert (running.returncode, stopped["resume"]) == (0, "takeroot fit --resume r")
    assert resumed["bundle"] == "r/bundle"


def command(folder: Path, *words: object) -> subprocess.Popen[str]:
    """A running ``takeroot fit``."""
    return subprocess.Popen(
        [Path(sys.executable).with_name("takeroot"), "fit", *map(str, words), "--json"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
