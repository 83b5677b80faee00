from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from takeroot.data import Example, Table, build, infer, read_object
from takeroot.errors import DataError, RecipeError
from takeroot.recipe import from_dict, load
from takeroot.search import fit_recipe, resume
from takeroot.search.also import MOST_TIMES, Also, gather, sample
from takeroot.search.methods import ALSO, METHODS, check
from takeroot.tasks import Classify

Build = Callable[..., Any]
FULL = {"method": "full", "epochs": 1}
MOODS = ("glad", "cross")


@pytest.fixture
def table(shop_table: Build) -> Table:
    """Thirty rows with a second label column."""
    rows = [
        {**row.values, "mood": MOODS[number % 2]} for number, row in enumerate(shop_table(30).rows)
    ]
    return read_object(rows, name="rows")


def further(recipe: Any, own: Table, test: Table | None, log: Any) -> tuple[Also, ...]:
    """What is learnt along with the column ``label`` of a table."""
    train = build(own, infer(own, label="label"))
    held = None if test is None else build(test, infer(test, label="label"))
    return gather(recipe, train, own, held, log)


def test_another_column_of_the_same_rows_is_a_task(
    recipe_of: Build, table: Table, log: Any
) -> None:
    (found,) = further(recipe_of(data={"also": [{"label": "mood"}]}), table, None, log())

    assert (found.task.labels, len(found.rows), found.weight) == (("cross", "glad"), 30, 1.0)


def test_another_file_has_columns_of_its_own(
    tmp_path: Path, recipe_of: Build, table: Table, log: Any
) -> None:
    other = tmp_path / "other.csv"
    other.write_text("said,topics\nhello there,a|b\nbye now,b\nwell,a\n", encoding="utf-8")
    also = {"path": str(other), "text": "said", "label": "topics", "task": "multilabel"}

    (found,) = further(recipe_of(data={"also": [{**also, "weight": 0.5}]}), table, None, log())

    assert (found.task.name, found.task.labels, found.weight) == ("multilabel", ("a", "b"), 0.5)
    assert [row.text for row in found.rows] == ["hello there", "bye now", "well"]


def test_test_texts_are_left_out_and_counted(
    recipe_of: Build, table: Table, shop_table: Build, log: Any
) -> None:
    told = log()

    (found,) = further(
        recipe_of(data={"also": [{"label": "mood"}]}), table, shop_table(12, name="test"), told
    )

    assert len(found.rows) == 18
    assert "12 are left out, as their texts are test texts" in told.notes[0]


def test_texts_that_judge_a_training_are_not_in_it(shop_examples: Build) -> None:
    rows = shop_examples(9)
    also = Also(Classify(("a", "b")), tuple(rows), 1.0, "rows")

    kept = sample(also, 9, [Example(rows[4].text.upper())], seed=0)

    assert kept == rows[:4] + rows[5:]


def test_no_task_outweighs_the_first_by_its_rows(shop_examples: Build) -> None:
    also = Also(Classify(("a", "b")), tuple(shop_examples(90)), 1.0, "rows")

    first, again, other = (sample(also, 5, [], seed) for seed in (0, 0, 1))

    assert len(first) == 5 * MOST_TIMES
    assert first == again != other


@pytest.mark.parametrize(
    ("also", "error", "says"),
    [
        ({"label": "mood", "task": "pair"}, DataError, "second"),
        ({"label": "nothing"}, DataError, "nothing"),
        ({"path": "absent.csv", "label": "x"}, DataError, "absent.csv"),
    ],
)
def test_what_cannot_be_learnt_along_is_refused(
    also: Any, error: Any, says: str, recipe_of: Build, table: Table, log: Any
) -> None:
    with pytest.raises(error, match=says):
        further(recipe_of(data={"also": [also]}), table, None, log())


def test_words_and_whole_texts_are_not_learnt_together(
    recipe_of: Build, shop_table: Build, log: Any
) -> None:
    rows = [{**row.values, "mood": MOODS[k % 2]} for k, row in enumerate(shop_table(9, "tag").rows)]

    with pytest.raises(RecipeError, match="the one reads words, the other whole texts"):
        recipe = recipe_of(data={"also": [{"label": "mood"}]})
        further(recipe, read_object(rows, name="rows"), None, log())


@pytest.mark.parametrize("method", sorted({*METHODS, "zero_shot"} - {*ALSO, "self_training"}))
def test_methods_that_learn_no_further_tasks_are_refused(method: str) -> None:
    recipe = from_dict({"data": {"also": [{"label": "mood"}]}, "fit": {"method": method}})

    with pytest.raises(RecipeError, match=r"data\.also: .* methods that do: auto, full, lora"):
        check(recipe)


@pytest.mark.parametrize("method", ["full", "adapter", "adalora"])
def test_a_fit_learns_along_and_serves_its_own_task_only(
    method: str, tmp_path: Path, recipe_of: Build, table: Table, log: Any
) -> None:
    recipe = recipe_of(
        data={"label": "label", "also": [{"label": "mood"}]}, fit={**FULL, "method": method}
    )

    run = fit_recipe(recipe, tmp_path / "out", table=table, progress=log())

    spec = json.loads((run.bundle / "bundle.json").read_text(encoding="utf-8"))
    assert spec["labels"] == ["card", "code", "money"]
    evidence = json.loads((run.bundle / "evidence" / "fit.json").read_text(encoding="utf-8"))
    assert evidence["also"] == [
        {"name": "rows, column mood", "task": "classify", "rows": 30, "labels": 2, "weight": 1.0}
    ]


def test_further_tasks_change_what_is_learnt(
    tmp_path: Path, recipe_of: Build, table: Table
) -> None:
    hashes = set()
    for number, also in enumerate(((), ({"label": "mood"},))):
        recipe = recipe_of(data={"label": "label", "also": also}, fit=FULL)
        run = fit_recipe(recipe, tmp_path / str(number), table=table)
        hashes.add(json.loads((run.bundle / "manifest.json").read_text())["model_sha256"])
    assert len(hashes) == 2


def test_paths_count_from_the_recipes_folder(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("data:\n  path: a.csv\n  also:\n    - {path: b.csv, label: x}\n")

    assert load(recipe).data.also[0].path == str(tmp_path / "b.csv")


def test_a_run_that_was_cut_off_goes_on_with_its_further_tasks(
    tmp_path: Path, recipe_of: Build, table: Table, log: Any
) -> None:
    fit = {**FULL, "epochs": 2, "checkpoint_s": 0.0}
    recipe = recipe_of(data={"label": "label", "also": [{"label": "mood"}]}, fit=fit)
    whole = fit_recipe(recipe, tmp_path / "whole", table=table)

    with pytest.raises(KeyboardInterrupt):
        fit_recipe(recipe, tmp_path / "cut", table=table, progress=log("exporting"))
    again = resume(tmp_path / "cut", table=table)

    first, second = ((r.bundle / "manifest.json").read_text() for r in (whole, again))
    assert json.loads(first)["model_sha256"] == json.loads(second)["model_sha256"]
