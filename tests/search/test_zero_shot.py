from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from takeroot.bundle import load_predictor, open_bundle
from takeroot.errors import DataError, RecipeError
from takeroot.search import fit_recipe
from takeroot.search.zero_shot import SCALE, TEMPLATES, sentences

Build = Callable[..., Any]
NAMES = {"card": "my card is lost", "code": "pin", "money": "refund"}
FIT = {"method": "zero_shot"}


@pytest.fixture
def recipe(recipe_of: Build) -> Callable[..., Any]:
    """A recipe that has names only."""

    def make(names: dict[str, str | None] = NAMES, **data: Any) -> Any:
        return recipe_of(data={"labels": names, **data}, fit=FIT)

    return make


def test_a_bundle_is_made_of_names_and_judged_by_the_test_file(
    recipe: Build, shop_table: Build, tmp_path: Path
) -> None:
    run = fit_recipe(recipe(), tmp_path / "run", test=shop_table(12))

    assert run.summary["method"] == "zero_shot"
    assert run.summary["valid"] is None  # nothing was held out
    assert run.summary["test"]["n"] == 12
    assert load_predictor(run.bundle, threads=1).predict(["my card is lost"])[0].label == "card"


def test_it_says_what_it_cannot_know(recipe: Build, tmp_path: Path) -> None:
    run = fit_recipe(recipe(), tmp_path / "run")

    fitted = json.loads((run.bundle / "evidence/fit.json").read_text(encoding="utf-8"))
    assert "no labelled row was held out" in fitted["notes"][0]
    assert fitted["rows_valid"] == 0
    assert open_bundle(run.bundle).spec.abstention is None


def test_a_description_counts_as_much_as_the_name() -> None:
    found = sentences("cardArrival", "when will it come")

    assert found[0] == "card Arrival"
    assert found.count("when will it come") == len(TEMPLATES)


def test_the_head_is_made_of_unit_prototypes(recipe: Build, tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    run = fit_recipe(recipe(), tmp_path / "run")

    weights = load_file(run.bundle / "weights/model.safetensors")["head.weight"]
    np.testing.assert_allclose(np.linalg.norm(weights, axis=1), SCALE, rtol=1e-4)


@pytest.mark.parametrize("data", [{"path": "rows.csv"}, {"labels": {"one": None}}])
def test_rows_or_too_few_names_are_refused(
    recipe: Build, tmp_path: Path, data: dict[str, Any]
) -> None:
    asked = recipe(**{"names": data.pop("labels", NAMES), **data})

    with pytest.raises(RecipeError, match=r"fit.method: zero_shot needs data.labels, two or more"):
        fit_recipe(asked, tmp_path / "run")


def test_a_test_row_of_another_label_is_refused(
    recipe: Build, shop_table: Build, tmp_path: Path
) -> None:
    asked = recipe({"card": None, "code": None})

    with pytest.raises(DataError, match="label 'money' is in no training row"):
        fit_recipe(asked, tmp_path / "run", test=shop_table(12))
