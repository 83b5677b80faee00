"""Checkpoints that are damaged, or that cannot be written."""

from __future__ import annotations

import errno
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from takeroot.errors import CheckpointError, DiskFullError, TakerootError
from takeroot.train.checkpoint import Snapshot, read, verify, write
from takeroot.train.checkpoints import Checkpoints, Stage

CALLS = ("open", "write", "fsync", "rename", "mkdir")
FILES = ("manifest.json", "model.safetensors", "optimizer.safetensors", "state.json")


def snapshot(step: int = 1) -> Snapshot:
    """A small state."""
    tensors = {
        "model": {"w": torch.full((8, 8), float(step))},
        "optimizer": {"w/step": torch.ones(3)},
    }
    return Snapshot({"step": step}, tensors)


class Told:
    """Remembers notes."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, message: str) -> None:
        self.notes.append(message)

    def step(self, *progress: object) -> None:
        """Show nothing."""


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def stage(tmp_path: Path, told: Told) -> Stage:
    """The states of a training, one kept whenever it is offered."""
    return Checkpoints(tmp_path / "run", every_s=0.0, progress=told).stage("training")


def failing(monkeypatch: pytest.MonkeyPatch, call: int, code: int) -> list[str]:
    """From the given call of the operating system on, all fail; gives the calls so far."""
    made: list[str] = []

    def wrap(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **options: Any) -> Any:
            if name != "open" or args[1] & os.O_WRONLY:
                made.append(name)
                if len(made) >= call:
                    raise OSError(code, os.strerror(code))
            return real(*args, **options)

        return wrapped

    for name in CALLS:
        monkeypatch.setattr(os, name, wrap(name, getattr(os, name)))
    return made


def test_what_was_written_is_read(tmp_path: Path):
    write(tmp_path / "step-1", snapshot())

    found = read(tmp_path / "step-1")

    assert found.values == {"step": 1}
    assert torch.equal(found.tensors["model"]["w"], torch.ones(8, 8))
    assert sorted(path.name for path in (tmp_path / "step-1").iterdir()) == list(FILES)


@pytest.mark.parametrize("name", FILES)
def test_a_file_cut_short_anywhere_is_refused(tmp_path: Path, name: str):
    write(tmp_path / "step-1", snapshot())
    file = tmp_path / "step-1" / name
    whole = file.read_bytes()

    for size in range(0, len(whole), 7):
        file.write_bytes(whole[:size])
        with pytest.raises(CheckpointError):
            verify(tmp_path / "step-1")


@pytest.mark.parametrize("name", FILES)
def test_a_flipped_bit_anywhere_is_refused(tmp_path: Path, name: str):
    write(tmp_path / "step-1", snapshot())
    file, dice = tmp_path / "step-1" / name, random.Random(0)
    whole = file.read_bytes()

    for _ in range(250):
        changed = bytearray(whole)
        changed[dice.randrange(len(whole))] ^= 1 << dice.randrange(8)
        file.write_bytes(changed)
        with pytest.raises(CheckpointError):
            verify(tmp_path / "step-1")


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_missing_is_refused(tmp_path: Path, name: str):
    write(tmp_path / "step-1", snapshot())
    (tmp_path / "step-1" / name).unlink()

    with pytest.raises(CheckpointError):
        read(tmp_path / "step-1")


def test_a_file_of_another_checkpoint_is_refused(tmp_path: Path):
    for step in (1, 2):
        write(tmp_path / f"step-{step}", snapshot(step))
    (tmp_path / "step-2" / "model.safetensors").replace(tmp_path / "step-1" / "model.safetensors")

    with pytest.raises(CheckpointError, match=r"step-1/model\.safetensors: was changed"):
        read(tmp_path / "step-1")


def test_a_file_that_does_not_belong_is_refused(tmp_path: Path):
    write(tmp_path / "step-1", snapshot())
    (tmp_path / "step-1" / "model.pt").touch()

    with pytest.raises(CheckpointError, match=r"do not belong there: model\.pt"):
        read(tmp_path / "step-1")


@pytest.mark.parametrize(
    ("code", "kind", "exit_code"),
    [
        (errno.ENOSPC, DiskFullError, 3),
        (errno.EDQUOT, DiskFullError, 3),
        (errno.EIO, CheckpointError, 1),
        (errno.EROFS, CheckpointError, 1),
        (errno.EACCES, CheckpointError, 1),
    ],
)
def test_a_write_that_fails_leaves_the_last_state_and_no_litter(
    stage: Stage, code: int, kind: type[TakerootError], exit_code: int
):
    stage.offer(1, lambda: snapshot(1))
    with pytest.MonkeyPatch.context() as patch:
        calls = len(count_calls(patch, stage))

    for call in range(1, calls + 1):
        with pytest.MonkeyPatch.context() as patch, pytest.raises(kind) as caught:
            failing(patch, call, code)
            stage.offer(3, lambda: snapshot(3))
        assert caught.value.exit_code == exit_code
        found = stage.newest()
        assert found is not None
        assert found.values["step"] >= 2
        assert not list(stage.folder.glob(".*"))
    assert calls >= 10


def count_calls(patch: pytest.MonkeyPatch, stage: Stage) -> list[str]:
    """The calls that keeping a state takes."""
    made = failing(patch, 1000, errno.EIO)
    stage.offer(2, lambda: snapshot(2))
    return made


def test_a_damaged_state_is_told_of_and_the_one_before_it_is_used(stage: Stage, told: Told):
    for step in (1, 2):
        stage.offer(step, lambda: snapshot(step))  # noqa: B023 - taken at once
    file = stage.folder / "step-00000002" / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-1])

    found = stage.newest()

    assert found is not None
    assert found.values["step"] == 1
    assert "step-00000002/model.safetensors: was changed after it was written" in told.notes[0]
    assert "the one before it is used" in told.notes[0]


def test_where_no_state_is_whole_there_is_none(stage: Stage):
    stage.offer(1, snapshot)
    (stage.folder / "step-00000001" / "manifest.json").write_text("{}")

    assert stage.newest() is None


def test_the_last_two_states_are_kept_and_a_result_alone(stage: Stage):
    for step in range(1, 5):
        stage.offer(step, lambda: snapshot(step))  # noqa: B023
    names = sorted(path.name for path in stage.folder.iterdir())

    stage.finish(lambda: snapshot(5))

    assert names == ["step-00000003", "step-00000004"]
    assert [path.name for path in stage.folder.iterdir()] == ["result"]


def test_no_state_is_removed_for_one_that_cannot_be_read_back(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
):
    for step in (1, 2):
        stage.offer(step, lambda: snapshot(step))  # noqa: B023
    real = os.write
    monkeypatch.setattr(os, "write", lambda file, data: real(file, bytes(data)[:-1] + b"?"))

    with pytest.raises(CheckpointError, match="was changed"):
        stage.offer(3, lambda: snapshot(3))

    monkeypatch.undo()
    found = stage.newest()
    assert found is not None
    assert found.values["step"] == 2
    assert (stage.folder / "step-00000001").is_dir()


def test_states_of_different_trainings_are_kept_apart(tmp_path: Path):
    run = Checkpoints(tmp_path, every_s=0.0)

    names = [run.stage(name).folder.name for name in ("fine-tuning 1/3", "fine-tuning 1/3", "全")]

    assert names == ["01-fine-tuning-1-3", "02-fine-tuning-1-3", "03"]


def test_no_state_is_kept_before_it_is_time(tmp_path: Path):
    stage = Checkpoints(tmp_path, every_s=1000.0).stage("training")

    stage.offer(1, snapshot)

    assert stage.newest() is None
