"""The Python interface over a finished bundle."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

import takeroot
from takeroot.api import run_folder
from takeroot.errors import BundleError, DataError, RecipeError
from takeroot.recipe import Recipe


@pytest.fixture(scope="module")
def model(shop_bundle: Path) -> takeroot.Model:
    return takeroot.load(shop_bundle)


def test_answers_have_all_parts(model: takeroot.Model) -> None:
    (answer,) = model.predict(["please refund my order"])

    assert (answer.label, answer.abstained, answer.reason) == ("refund", False, None)
    assert set(answer.probabilities) == set(model.labels)


def test_probabilities_follow_the_labels(model: takeroot.Model) -> None:
    made = model.predict_proba(["where is my parcel", "reset my password please"])

    assert made.shape == (2, 3)
    assert [model.labels[place] for place in made.argmax(axis=1)] == ["delivery", "account"]
    assert np.allclose(made.sum(axis=1), 1)


def test_no_texts_give_no_answers(model: takeroot.Model) -> None:
    assert model.predict([]) == []
    assert model.predict_proba([]).shape == (0, 3)


def test_one_bare_text_is_refused(model: takeroot.Model) -> None:
    with pytest.raises(DataError, match="list of texts"):
        model.predict("refund")


@pytest.mark.parametrize("make", [list, pd.DataFrame, pl.DataFrame])
def test_any_table_can_be_evaluated(
    model: takeroot.Model, shop_rows: list[dict[str, str]], make: type
) -> None:
    assert model.evaluate(make(shop_rows))["accuracy"] == 1.0


def test_run_folder_stands_for_its_bundle(shop_bundle: Path) -> None:
    assert takeroot.load(shop_bundle.parent).bundle == shop_bundle


def test_a_run_is_gone_on_with_as_it_began(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"--resume .*its own settings; leave out test, seed$"):
        takeroot.fit([{"text": "a", "label": "b"}], test="t.csv", seed=0, resume=tmp_path)


def test_missing_bundle_is_named(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="none: no such folder"):
        takeroot.load(tmp_path / "none")


def test_report_lies_in_the_bundle(model: takeroot.Model) -> None:
    assert model.report_path.read_text() == "<!doctype html>"


def test_fit_without_data_is_refused() -> None:
    with pytest.raises(RecipeError, match="nothing to fit on"):
        takeroot.fit(None)


def test_taken_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(RecipeError, match="is already there"):
        run_folder(Recipe(), tmp_path)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nothing_here"):
        _ = takeroot.nothing_here
