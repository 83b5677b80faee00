"""Every example is short and its recipe can be loaded; marked slow, every example is run.

A training makes one pass over the rows here, whatever its recipe says: fifteen whole ones take
longer than all other tests together.
"""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from takeroot import recipe

EXAMPLES = Path(__file__).parents[2] / "examples"
PRETRAININGS = sorted(EXAMPLES.glob("pretrain-*.yaml"))
RECIPES = sorted(set(EXAMPLES.glob("*.yaml")) - set(PRETRAININGS))
SCRIPTS = sorted(EXAMPLES.glob("*.py"))
COMMAND = "import sys; from takeroot.cli import main; sys.exit(main())"
PYTHON = [sys.executable, "-W", "ignore"]


def run(*words: str | Path, folder: Path) -> str:
    """What a Python command prints on stdout; its stderr is shown where it fails."""
    done = subprocess.run(
        [*PYTHON, *map(str, words)], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("path", [*RECIPES, *PRETRAININGS, *SCRIPTS], ids=lambda path: path.name)
def test_example_is_short_and_listed(path: Path) -> None:
    index = (EXAMPLES / "README.md").read_text(encoding="utf-8")

    assert len(path.read_text(encoding="utf-8").splitlines()) < 60
    assert f"]({path.name})" in index


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.name)
def test_recipe_loads_and_its_files_exist(path: Path) -> None:
    made = recipe.load(path)

    also = (each.path for each in made.data.also)
    files = (made.data.path, made.data.test, made.data.unlabelled, *also)
    assert made.data.path is not None or made.data.labels
    assert all(Path(file).is_file() for file in files if file is not None)


@pytest.mark.parametrize("path", PRETRAININGS, ids=lambda path: path.name)
def test_pretraining_recipe_loads_and_its_files_exist(path: Path) -> None:
    made = recipe.load_kind(recipe.PretrainRecipe, path)

    assert made.data.paths
    assert all(Path(file).is_file() for file in made.data.paths)


def test_there_is_an_example_for_every_task() -> None:
    shown = {recipe.load(path).task for path in RECIPES}

    assert shown >= set(get_args(recipe.Task))


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("data/*.csv")), ids=lambda path: path.name)
def test_example_tables_are_whole(path: Path) -> None:
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file, strict=True)

    assert 40 <= len(rows) <= 100
    assert {len(row) for row in rows} == {len(header)}
    assert len({tuple(row) for row in rows}) == len(rows)


@pytest.mark.slow
@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.name)
def test_recipe_makes_a_bundle(path: Path, tmp_path: Path) -> None:
    words = [
        "-c",
        COMMAND,
        "fit",
        path,
        "--set",
        "fit.epochs=1",
        "--out",
        tmp_path / "run",
        "--json",
    ]

    printed = json.loads(run(*words, folder=tmp_path))

    assert (Path(printed["bundle"]) / "manifest.json").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("path", PRETRAININGS, ids=lambda path: path.name)
def test_pretraining_recipe_makes_a_better_model(path: Path, tmp_path: Path) -> None:
    words = ["-c", COMMAND, "pretrain", path, "--out", tmp_path / "model", "--json"]

    printed = json.loads(run(*words, folder=tmp_path))

    assert printed["after"]["loss"] < printed["before"]["loss"]


@pytest.mark.slow
@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_script_runs(path: Path, tmp_path: Path) -> None:
    run(path, folder=tmp_path)
