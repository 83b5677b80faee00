"""``takeroot fit`` and ``demo`` around the search, which a stand-in replaces."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from takeroot.cli.stop import stoppable
from takeroot.stop import Stop, Stopped

Run = Callable[..., Any]
SUMMARY = {
    "method": "tfidf",
    "task": "classify",
    "seconds": 1.0,
    "valid": {"accuracy": 0.9},
    "test": None,
    "candidates": [{"method": "tfidf", "seconds": 1.0, "valid": 0.9}],
    "precision": "none",
    "artifact_mb": 0.1,
}


@dataclass
class Search:
    """Copies a finished bundle instead of making one, and remembers what it was asked."""

    bundle: Path
    recipe: Any = None
    table: Any = None
    signal: int = 0
    resumed: Path | None = None

    def fit_recipe(
        self, recipe: Any, out: Path, *, table: Any, progress: Any, stop: Any, **_: Any
    ) -> Any:
        self.recipe, self.table = recipe, table
        self.stop_if_asked(out, stop)
        if progress is not None:
            progress.note("text column is 'text'")
            progress.step("train", 1, 2, {"loss": 0.5})
        shutil.copytree(self.bundle, out / "bundle")
        summary = {"bundle": str(out / "bundle"), **SUMMARY}
        return SimpleNamespace(path=out, bundle=out / "bundle", summary=summary)

    def stop_if_asked(self, out: Path, stop: Stop) -> None:
        """A training that is sent a signal, and heeds it after its step."""
        if self.signal:
            with stop.awaited():
                os.kill(os.getpid(), self.signal)
                if stop.wanted:
                    raise Stopped(out)

    def resume(self, out: Path, *, table: Any, progress: Any, **_: Any) -> Any:
        self.resumed = out
        return SimpleNamespace(bundle=self.bundle, summary={"bundle": str(self.bundle), **SUMMARY})


@pytest.fixture
def search(shop_bundle: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Search:
    stand_in = Search(shop_bundle)
    monkeypatch.setitem(sys.modules, "takeroot.search", stand_in)
    monkeypatch.setattr("takeroot.api.require", lambda *_: None)
    monkeypatch.chdir(tmp_path)
    return stand_in


def test_options_reach_the_recipe(takeroot: Run, search: Search) -> None:
    options = ["--text", "1", "--preset", "fast", "--time-limit", "60", "--seed", "3"]

    takeroot("fit", "t.csv", *options, "--set", "fit.epochs=2", "--header", "a, b")

    made = search.recipe
    assert (made.data.path, made.data.text, made.data.header) == ("t.csv", "1", ("a", "b"))
    assert (made.fit.preset, made.fit.time_limit_s, made.fit.seed) == ("fast", 60, 3)
    assert made.fit.epochs == 2


def test_a_recipe_may_stand_for_the_data(takeroot: Run, search: Search, tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("data: {path: t.csv}\nfit: {seed: 5}\n")

    takeroot("fit", tmp_path / "r.yaml")

    assert (search.recipe.data.path, search.recipe.fit.seed) == (str(tmp_path / "t.csv"), 5)


def test_a_recipe_may_be_used_for_other_data(takeroot: Run, search: Search, tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("data: {path: t.csv}\nfit: {seed: 5}\n")

    takeroot("fit", "other.csv", "--recipe", tmp_path / "r.yaml")

    assert (search.recipe.data.path, search.recipe.fit.seed) == ("other.csv", 5)


def test_json_is_the_summary_and_notes_go_to_stderr(takeroot: Run, search: Search) -> None:
    ran = takeroot("fit", "t.csv", "--out", "here", "--json")

    assert ran.json == {"bundle": "here/bundle", **SUMMARY}
    assert "text column is 'text'" in ran.err


def test_a_taken_folder_is_refused_before_the_work(
    takeroot: Run, search: Search, tmp_path: Path
) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "file").touch()

    ran = takeroot("fit", "t.csv", "--out", "here")

    assert (ran.code, search.recipe) == (1, None)
    assert "--out here: is already there" in ran.err


def test_without_out_each_run_gets_a_folder_of_its_own(takeroot: Run, search: Search) -> None:
    bundles = [takeroot("fit", "t.csv", "--json").json["bundle"] for _ in range(3)]

    assert bundles == ["runs/t/bundle", "runs/t-2/bundle", "runs/t-3/bundle"]


def test_a_run_is_gone_on_with(takeroot: Run, search: Search) -> None:
    ran = takeroot("fit", "--resume", "runs/a", "--json")

    assert (ran.code, search.resumed) == (0, Path("runs/a"))
    assert ran.json["method"] == "tfidf"


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["t.csv"], "data"),
        (["--seed", "0", "--time-limit", "9"], "time_limit_s, seed"),
        (["--set", "fit.epochs=2"], "set"),
        (["--out", "b"], "out"),
        (["--header", "a,b"], "header"),
    ],
)
def test_a_run_goes_on_with_its_own_settings_only(
    takeroot: Run, search: Search, words: list[str], named: str
) -> None:
    ran = takeroot("fit", "--resume", "runs/a", *words)

    assert (ran.code, search.resumed) == (1, None)
    assert f"--resume runs/a: a run goes on with its own settings; leave out {named}" in ran.err


def test_a_fit_that_is_terminated_says_how_to_go_on(takeroot: Run, search: Search) -> None:
    search.signal = signal.SIGTERM

    ran = takeroot("fit", "t.csv", "--out", "my run", "--json")

    again = "takeroot fit --resume 'my run'"
    assert ran.code == 0
    assert ran.json == {"stopped": True, "run": "my run", "resume": again}


def test_ctrl_c_ends_with_its_own_code(takeroot: Run, search: Search) -> None:
    search.signal = signal.SIGINT

    ran = takeroot("fit", "t.csv", "--out", "here", "--json")

    assert (ran.code, ran.json["exit_code"]) == (130, 130)


def test_a_second_signal_does_not_wait(search: Search) -> None:
    with stoppable() as stop, stop.awaited():
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.wanted

        with pytest.raises(Stopped):
            os.kill(os.getpid(), signal.SIGTERM)


def test_signals_that_the_caller_ignores_stay_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with stoppable() as stop:
            os.kill(os.getpid(), signal.SIGINT)
            assert not stop.wanted
    finally:
        signal.signal(signal.SIGINT, before)


def test_an_unfinished_run_in_the_way_is_told_of(
    takeroot: Run, search: Search, tmp_path: Path
) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "run.json").touch()

    assert (
        "go on with its run: takeroot fit --resume here"
        in takeroot("fit", "t.csv", "--out", "here").err
    )


def test_demo_leaves_the_data_and_shows_answers(takeroot: Run, search: Search) -> None:
    found = takeroot("demo", "--language", "zh", "--out", "d", "--json").json

    assert Path("d/support_zh_train.csv").is_file()
    assert len(found["answers"]) == 6


def test_summary_names_bundle_and_report(takeroot: Run, search: Search) -> None:
    shown = takeroot("fit", "t.csv", "--out", "here").out

    assert "bundle: here/bundle" in shown
    assert "report: here/bundle/report.html" in shown
