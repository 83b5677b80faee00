"""Models that write, trained by two processes, against one that trains alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import folders
import pytest
import shared_writers

from takeroot.bundle import load_predictor
from takeroot.errors import RecipeError
from takeroot.generation import fit_recipe
from takeroot.recipe import from_dict
from takeroot.train import loop
from takeroot.train.helpers import together

Build = Callable[..., Any]
FAR = 5e-6  # of weights after six steps of 1e-3: parts of a sum are added in another order
# Where attention hardly depends on a key, its gradient is hardly more than rounding, and AdamW
# takes whole steps along it all the same.
FAINT = {("t5", "lora"): 5e-5, ("marian", "full"): 5e-5}


@pytest.fixture(scope="module")
def apart() -> dict[str, float]:
    """How far weights are apart that torchrun's two processes found from those that one found."""
    torchrun = Path(sys.executable).with_name("torchrun")
    words = [torchrun, "--nproc-per-node", "2", shared_writers.__file__]
    support = str(Path(folders.__file__).parent)
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": support}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["size"] == 2
    return dict(said["far"])


@pytest.mark.parametrize("case", shared_writers.CASES, ids=" ".join)
def test_two_processes_reach_the_weights_of_one(
    apart: dict[str, float], case: tuple[str, str]
) -> None:
    assert apart[" ".join(case)] < FAINT.get(case, FAR)


@pytest.mark.parametrize("case", shared_writers.SHARDED, ids=" ".join)
def test_layers_divided_among_two_reach_the_weights_of_one(
    apart: dict[str, float], case: tuple[str, str]
) -> None:
    assert apart[" ".join(case) + ", sharded"] < FAINT.get(case, FAR)


@pytest.mark.parametrize("shard", [False, True])
def test_a_fit_by_two_processes_answers_as_one_does(
    recipe_for: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shard: bool
) -> None:
    divided = Mock(wraps=loop.sharded)
    monkeypatch.setattr(loop, "sharded", divided)
    setting = {"compress": {"precision": "fp32"}}
    alone = fit_recipe(recipe_for("llama", {"epochs": 1}, **setting), tmp_path / "alone")

    with together(2):
        made = recipe_for("llama", {"epochs": 1, "shard": shard}, **setting)
        both = fit_recipe(made, tmp_path / "both")

    assert divided.called == shard
    first, second = (load_predictor(run.bundle).predict(["hello 1"])[0] for run in (alone, both))
    assert first.text == second.text
    assert both.summary["valid"]["loss"] == pytest.approx(alone.summary["valid"]["loss"], rel=1e-5)


@pytest.mark.parametrize(
    ("task", "method", "message"),
    [
        ("generate", "adalora", "adalora does not take it; methods that do: auto, lora, ia3"),
        ("generate", "lora", "add --processes N"),
        ("seq2seq", "full", "add --processes N"),
    ],
)
def test_layers_that_cannot_be_divided_are_refused(
    task: str, method: str, message: str, tmp_path: Path
) -> None:
    made = from_dict({"task": task, "fit": {"method": method, "shard": True}})

    with pytest.raises(RecipeError, match=f"fit.shard: .*{message}"):
        fit_recipe(made, tmp_path / "run")
