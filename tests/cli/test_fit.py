"""``takeroot fit`` and ``demo`` around the search, which a stand-in replaces."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

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

    def fit_recipe(self, recipe: Any, out: Path, *, table: Any, progress: Any, **_: Any) -> Any:
        self.recipe, self.table = recipe, table
        if progress is not None:
            progress.note("text column is 'text'")
            progress.step("train", 1, 2, {"loss": 0.5})
        shutil.copytree(self.bundle, out / "bundle")
        summary = {"bundle": str(out / "bundle"), **SUMMARY}
        return SimpleNamespace(path=out, bundle=out / "bundle", summary=summary)


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


def test_demo_leaves_the_data_and_shows_answers(takeroot: Run, search: Search) -> None:
    found = takeroot("demo", "--language", "zh", "--out", "d", "--json").json

    assert Path("d/support_zh_train.csv").is_file()
    assert len(found["answers"]) == 6


def test_summary_names_bundle_and_report(takeroot: Run, search: Search) -> None:
    shown = takeroot("fit", "t.csv", "--out", "here").out

    assert "bundle: here/bundle" in shown
    assert "report: here/bundle/report.html" in shown
