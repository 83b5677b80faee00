"""Curves as the libraries themselves read them back; nothing leaves the machine."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from takeroot.errors import MissingExtraError
from takeroot.train.sinks import SINKS, Watched, flat, watched

SETTINGS = {"fit.seed": 3, "task": "classify"}


class Notes:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.steps: list[tuple[str, int, int, dict[str, float]]] = []

    def note(self, message: str) -> None:
        self.notes.append(message)

    def step(self, stage: str, done: int, total: int, figures: Mapping[str, float]) -> None:
        self.steps.append((stage, done, total, dict(figures)))


class Broken:
    """A sink that fails at its second figures."""

    def __init__(self, *_: Any) -> None:
        self.told = 0

    def figures(self, stage: str, step: int, figures: Mapping[str, float]) -> None:
        self.told += 1
        if self.told == 2:
            raise OSError("the disk is full\nmore of it")

    def close(self) -> None:
        raise AssertionError("it was left out")


def draw(names: tuple[str, ...], out: Path) -> Notes:
    """A training of three reports, one of them without figures."""
    notes = Notes()
    with watched(notes, names, out, SETTINGS) as show:
        show.step("fine-tuning", 10, 30, {"loss": 2.0})
        show.step("fine-tuning", 20, 30, {})
        show.step("fine-tuning", 30, 30, {"loss": 1.5})
        show.note("done")
    return notes


def test_what_sinks_are_told_is_told_to_the_progress_first(tmp_path: Path) -> None:
    notes = draw(tuple(SINKS)[:0], tmp_path)

    assert notes.steps[1] == ("fine-tuning", 20, 30, {})
    assert (len(notes.steps), notes.notes) == (3, ["done"])


def test_tensorboard_reads_the_curve_and_the_settings(tmp_path: Path) -> None:
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")

    notes = draw(("tensorboard",), tmp_path)

    found = reader.EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    points = [(each.step, each.value) for each in found.Scalars("fine-tuning/loss")]
    assert points == [(10, 2.0), (30, 1.5)]
    assert (
        b"| fit.seed | 3 |" in found.Tensors("settings/text_summary")[0].tensor_proto.string_val[0]
    )
    assert notes.notes == ["done"]


def test_mlflow_reads_the_curve_and_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mlflow = pytest.importorskip("mlflow")
    store = f"file:{tmp_path / 'mlruns'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")

    notes = draw(("mlflow",), tmp_path / "run-a")

    client = mlflow.tracking.MlflowClient(tracking_uri=store)
    experiment = client.get_experiment_by_name("takeroot").experiment_id
    (run,) = client.search_runs([experiment])
    points = client.get_metric_history(run.info.run_id, "fine-tuning/loss")
    assert [(each.step, each.value) for each in points] == [(10, 2.0), (30, 1.5)]
    assert (run.data.params, run.info.status) == ({"fit.seed": "3", "task": "classify"}, "FINISHED")
    assert (run.info.run_name, notes.notes) == ("run-a", ["done"])


def test_an_mlflow_store_that_cannot_be_used_ends_no_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "nowhere://x")

    notes = draw(("mlflow",), tmp_path)

    assert len(notes.steps) == 3
    assert notes.notes[0].startswith("warning: fit.watch: mlflow failed and is left out: ")
    assert "nowhere" in notes.notes[0] and notes.notes[1:] == ["done"]


def test_wandb_keeps_the_curve_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb")
    monkeypatch.delenv("WANDB_MODE", raising=False)

    notes = draw(("wandb",), tmp_path)

    (run,) = (tmp_path / "wandb").glob("offline-run-*")
    for _ in range(600):  # its own process writes the last records, a little after the end
        if len(points_of(run)) == 2:
            break
        time.sleep(0.1)
    assert points_of(run) == [(10, 2.0), (30, 1.5)]
    assert notes.notes == ["done"]


def points_of(run: Path) -> list[tuple[int, float]]:
    """The curve in an offline run: protocol buffers in records of LevelDB's log format."""
    from wandb.proto import wandb_internal_pb2

    data, points, at = next(run.glob("*.wandb")).read_bytes(), [], 7
    while at + 7 <= len(data):  # each of them in one block, as the file is shorter than one
        size = int.from_bytes(data[at + 4 : at + 6], "little")
        record = wandb_internal_pb2.Record.FromString(data[at + 7 : at + 7 + size])
        at += 7 + size
        values = {
            item.key or "/".join(item.nested_key): json.loads(item.value_json)
            for item in record.history.item
        }
        if "fine-tuning/loss" in values:
            points.append((values["fine-tuning/step"], values["fine-tuning/loss"]))
    return points


def test_a_sink_that_fails_is_named_once_and_left_out(tmp_path: Path) -> None:
    notes = Notes()
    show = Watched(notes, {"wandb": Broken}, tmp_path, SETTINGS)

    for step in (10, 20, 30):
        show.step("fine-tuning", step, 30, {"loss": 1.0})
    show.close()

    assert len(notes.steps) == 3
    assert notes.notes == ["warning: fit.watch: wandb failed and is left out: the disk is full"]


def test_a_run_that_draws_nothing_leaves_nothing(tmp_path: Path) -> None:
    with watched(Notes(), tuple(SINKS), tmp_path, SETTINGS) as show:
        show.note("the file has no column 'text'")

    assert list(tmp_path.iterdir()) == []


def test_a_package_that_is_not_installed_is_named_before_anything_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)

    with pytest.raises(MissingExtraError, match=r"takeroot\[wandb\]"):
        draw(("wandb",), tmp_path)


def test_settings_are_shown_by_their_dotted_names() -> None:
    found = flat(
        {"fit": {"seed": 3, "epochs": None}, "task": "tag", "data": {"header": ("a", "b")}}
    )

    assert found == {"fit.seed": 3, "task": "tag", "data.header": "('a', 'b')"}
