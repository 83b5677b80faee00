"""Several processes that train one model together, against one that trains it alone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from takeroot.errors import ModelError, RecipeError
from takeroot.models.adapters import ADAPTERS
from takeroot.recipe import from_dict
from takeroot.search.methods import SHARDING, check
from takeroot.tasks import Classify, Encoded
from takeroot.train import Labelled, TrainConfig, train
from takeroot.train.group import Group, current
from takeroot.train.helpers import together

Build = Callable[..., Any]

SHARED = Path(__file__).with_name("shared.py")
TASK = Classify(("a", "b"))
ROWS = [Encoded([2, 5 + k, 3], [0] * 3, (), k % 2) for k in range(8)]
WHOLE = ("classify", "tag", "contrastive", "accumulated", "recomputed", *ADAPTERS)
SHARDED = ("classify", "tag", "contrastive", "accumulated", "recomputed", "lora", "ia3", "adapter")
FAR = 5e-6  # of weights after six steps of 1e-3: parts of a sum are added in another order


@pytest.fixture(scope="module")
def said() -> dict[str, Any]:
    """What torchrun's two processes found."""
    torchrun = Path(sys.executable).with_name("torchrun")
    words = [torchrun, "--nproc-per-node", "2", SHARED]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["size"] == 2
    return found


@pytest.fixture
def apart(said: dict[str, Any]) -> dict[str, float]:
    """How far weights are apart that two processes found from those that one found."""
    return dict(said["far"])


@pytest.mark.parametrize("case", WHOLE)
def test_two_processes_reach_the_weights_of_one(apart: dict[str, float], case: str) -> None:
    assert apart[case] < FAR


@pytest.mark.parametrize("case", SHARDED)
def test_layers_divided_among_two_reach_the_weights_of_one(
    apart: dict[str, float], case: str
) -> None:
    assert apart[f"{case}, sharded"] < FAR


def test_divided_layers_compute_again_what_is_not_kept(said: dict[str, Any]) -> None:
    once, twice = said["layer_passes"]

    assert twice == 2 * once > 0


@pytest.mark.parametrize("case", ["gone on with", "gone on with, sharded"])
def test_two_processes_go_on_to_the_same_bits(apart: dict[str, float], case: str) -> None:
    assert apart[case] == 0


def test_a_process_that_ends_is_an_error_and_no_endless_wait(
    tiny_model: Callable[..., Any],
) -> None:
    with together(2), pytest.raises(ModelError, match="another process of this training has ended"):
        children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text()
        os.kill(int(children.split()[-1]), signal.SIGKILL)
        train(tiny_model(TASK), Labelled(TASK), ROWS, TrainConfig(epochs=50, batch_size=2))
    assert current() == Group(0, 1)


def test_outside_of_a_group_a_process_trains_alone() -> None:
    with together(None) as group:
        assert group == current() == Group(0, 1)


@pytest.mark.parametrize("processes", [0, -1, 5000])
def test_a_number_of_processes_out_of_range_is_refused(processes: int) -> None:
    with (
        pytest.raises(RecipeError, match=f"--processes {processes}: 1 to 1024"),
        together(processes),
    ):
        pass


@pytest.mark.parametrize("method", sorted({"probe", "tfidf", *ADAPTERS} - {*SHARDING}))
def test_a_method_whose_layers_cannot_be_divided_is_refused(method: str) -> None:
    recipe = from_dict({"fit": {"method": method, "shard": True}})
    with pytest.raises(
        RecipeError, match=f"fit.method: {method} does not take it; methods that do"
    ):
        check(recipe)


def test_layers_are_not_divided_within_one_process() -> None:
    with pytest.raises(RecipeError, match="add --processes N"):
        check(from_dict({"fit": {"shard": True}}))
