from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from takeroot.errors import RecipeError
from takeroot.search import augment, fit_recipe
from takeroot.search.work import cross_validation

Build = Callable[..., Any]
FIT = {"method": "tfidf", "augment": ["delete", "swap"]}


def test_a_copy_is_trained_on_where_its_row_is_and_never_judged(
    work_of: Build, shop_examples: Build
) -> None:
    rows = shop_examples(30)
    work = work_of(rows, fit=FIT)

    more = augment.with_copies(work)

    judged = {rows[k].source for k in more.parts[0].judge}
    assert more.parts[0].judge.tolist() == work.parts[0].judge.tolist()
    trained = [more.rows[k].source.split(" ")[0] for k in more.parts[0].train]
    assert not judged & set(trained) and len(trained) > len(work.parts[0].train)


def test_few_rows_stay_few(work_of: Build, shop_examples: Build) -> None:
    from dataclasses import replace

    rows = shop_examples(30)
    work = replace(work_of(rows, fit=FIT), parts=cross_validation(rows, 0))

    more = augment.with_copies(work)

    assert work.few and more.few
    assert more.own == 30 and more.copies == len(more.rows) - 30 > 0


def test_copies_that_gain_nothing_are_refused_with_a_note(
    work_of: Build, shop_examples: Build, log: Any
) -> None:
    from dataclasses import replace

    told = log()
    work = replace(work_of(shop_examples(30), fit=FIT), progress=told)  # right already

    assert augment.worthwhile(work) is work
    assert "fit.augment: refused" in told.notes[-1]


def test_copies_that_gain_are_kept(
    work_of: Build, shop_examples: Build, log: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    told = log()
    work = replace(work_of(shop_examples(30), fit=FIT), progress=told)
    monkeypatch.setattr(augment, "choose", lambda work, each: each[1])

    more = augment.worthwhile(work)

    assert more.copies == len(more.rows) - 30
    assert "(delete, swap) are learnt from" in told.notes[-1]


def test_tags_are_not_changed(recipe_of: Build, shop_table: Build, tmp_path: Path) -> None:
    recipe = recipe_of(task="tag", fit={"augment": ["swap"]})

    with pytest.raises(RecipeError, match=r"fit\.augment: task tag marks places"):
        fit_recipe(recipe, tmp_path / "run", table=shop_table(30, "tag"))


@pytest.mark.parametrize("task", ["classify", "multilabel", "pair"])
def test_a_fit_goes_through_with_it(
    recipe_of: Build, shop_table: Build, tmp_path: Path, task: str
) -> None:
    data = {"second": "second"} if task == "pair" else {}
    recipe = recipe_of(task=task, data=data, fit={"method": "probe", "augment": ["typo"]})

    run = fit_recipe(recipe, tmp_path / "run", table=shop_table(30, task))

    made = json.loads((run.bundle / "evidence/recipe.json").read_text(encoding="utf-8"))
    assert made["fit"]["augment"] == ["typo"]


def test_copies_are_those_of_the_seed(work_of: Build, shop_examples: Build) -> None:
    works = [work_of(shop_examples(30), fit=FIT | {"seed": seed}) for seed in (0, 0, 1)]

    first, again, other = (
        [row.text for row in augment.with_copies(work).rows[30:]] for work in works
    )

    assert first == again != other
    assert np.array(first).size > 0
