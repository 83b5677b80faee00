"""Recipes: what is read, what is refused, and in which words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from takeroot import recipe
from takeroot.errors import RecipeError


def write(folder: Path, text: str) -> Path:
    path = folder / "recipe.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def complaint(path: Path, overrides: tuple[str, ...] = ()) -> str:
    with pytest.raises(RecipeError) as caught:
        recipe.load(path, overrides)
    return str(caught.value)


def test_empty_file_is_the_default_recipe(tmp_path: Path) -> None:
    assert recipe.load(write(tmp_path, "")) == recipe.Recipe()


def test_yaml_values_arrive(tmp_path: Path) -> None:
    path = write(tmp_path, "data: {text: 文本, label: intent}\nfit: {preset: fast, seed: 7}\n")

    read = recipe.load(path)

    assert (read.data.text, read.data.label) == ("文本", "intent")
    assert (read.fit.preset, read.fit.seed) == ("fast", 7)


def test_relative_paths_count_from_the_file(tmp_path: Path) -> None:
    data = "{path: train.csv, test: /data/test.csv, unlabelled: more.txt}"
    read = recipe.load(write(tmp_path, f"data: {data}"))

    assert read.data.path == str(tmp_path / "train.csv")
    assert read.data.test == "/data/test.csv"
    assert read.data.unlabelled == str(tmp_path / "more.txt")


def test_models_and_bundles_count_from_the_recipe_too(tmp_path: Path) -> None:
    (tmp_path / "models/zh").mkdir(parents=True)
    text = "fit: {augment: [substitute], augment_model: models/zh, nli: {bundle: runs/nli}}"

    read = recipe.load(write(tmp_path, text))

    assert read.fit.augment_model == str(tmp_path / "models/zh")
    assert read.fit.nli.bundle == str(tmp_path / "runs/nli")
    hub = "fit: {augment: [substitute], augment_model: google-bert/bert}"
    assert recipe.load(write(tmp_path, hub)).fit.augment_model == "google-bert/bert"


def test_exponents_without_a_point_are_numbers(tmp_path: Path) -> None:
    assert recipe.load(write(tmp_path, "fit: {learning_rate: 1e-4}")).fit.learning_rate == 0.0001


def test_render_and_load_are_inverse(tmp_path: Path) -> None:
    made = recipe.from_dict({"data": {"missing": {"fill": "-"}}, "fit": {"learning_rate": 1e-5}})

    assert recipe.load(write(tmp_path, recipe.render(made))) == made


def test_render_shows_every_key() -> None:
    shown = yaml.safe_load(recipe.render(recipe.Recipe()))

    assert set(dotted(shown)) == set(recipe.keys())


def dotted(values: dict[str, Any], prefix: str = "") -> Iterator[str]:
    """The dotted name of every value in nested mappings."""
    for key, value in values.items():
        if isinstance(value, dict):
            yield from dotted(value, f"{prefix}{key}.")
        else:
            yield prefix + key


def test_overrides_win_over_the_file_and_options_over_both(tmp_path: Path) -> None:
    path = write(tmp_path, "fit: {seed: 1, preset: fast}\nmodel: a")

    read = recipe.load(path, ["fit.seed=2", "model=b"], {"model": "c"})

    assert (read.fit.seed, read.fit.preset, read.model) == (2, "fast", "c")


def test_options_are_taken_as_they_are() -> None:
    assert recipe.from_dict({}, options={"data.text": "1"}).data.text == "1"


def test_from_dict_leaves_the_dict_alone() -> None:
    values = {"fit": {"seed": 1}}

    recipe.from_dict(values, ["fit.seed=2"])

    assert values == {"fit": {"seed": 1}}


def test_every_problem_is_told_with_its_line(tmp_path: Path) -> None:
    path = write(tmp_path, "data:\n  txt: a\nfit:\n  preset: quick\n  batch_size: 0\n")

    lines = complaint(path).splitlines()

    assert lines == [
        f"{path}:2: data.txt: unknown key; did you mean data.text?",
        f"{path}:4: fit.preset: should be 'fast', 'balanced' or 'best', got 'quick'",
        f"{path}:5: fit.batch_size: should be greater than or equal to 1, got 0",
    ]


def test_key_in_the_wrong_section_is_sent_home(tmp_path: Path) -> None:
    assert "seed: unknown key; did you mean fit.seed?" in complaint(write(tmp_path, "seed: 1"))


def test_strange_key_is_answered_with_what_is_allowed(tmp_path: Path) -> None:
    told = complaint(write(tmp_path, "output: {xyzzy: 1}"))

    assert told.endswith("output.xyzzy: unknown key; allowed: name, weights")


def test_wrong_override_names_the_command_line(tmp_path: Path) -> None:
    told = complaint(write(tmp_path, "fit: {seed: 1}"), ("fit.seed=-1",))

    assert told.startswith("command line: fit.seed: should be greater than or equal to 0, got -1")


def test_override_without_value_is_refused(tmp_path: Path) -> None:
    assert "write it as KEY=VALUE" in complaint(write(tmp_path, ""), ("fit.seed",))


def test_split_by_needs_its_column(tmp_path: Path) -> None:
    told = complaint(write(tmp_path, "data:\n  split_by: group\n"))

    assert told.endswith(":1: data: split_by 'group' needs data.group: COLUMN")


def test_union_is_one_problem(tmp_path: Path) -> None:
    assert len(complaint(write(tmp_path, "data: {missing: 3}")).splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("a: [", ":1: not valid YAML"),
        ("- a\n", ":1: a recipe is a mapping"),
        ("fit: {seed: 1}\nfit: {seed: 2}\n", ":2: fit: given twice, first in line 1"),
        ("a: &x 1\nb: *x\n", ":2: not valid YAML: aliases are not allowed"),
        ("a: !!python/object:os.system 1\n", ":1: not valid YAML"),
        ("[" * 3000, "not valid YAML"),
        ("fit: {clip: .inf}", "fit.clip"),
    ],
)
def test_malformed_file_is_told_by_line(tmp_path: Path, text: str, part: str) -> None:
    assert part in complaint(write(tmp_path, text))


def test_missing_file_is_named(tmp_path: Path) -> None:
    assert "cannot be read: No such file" in complaint(tmp_path / "none.yaml")


def test_other_encodings_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_bytes("data: {text: 文本}".encode("gb18030"))

    assert "is not UTF-8" in complaint(path)


def test_schema_describes_every_setting() -> None:
    parts = recipe.schema()["$defs"]

    bare = [
        f"{name}.{key}"
        for name, part in parts.items()
        for key, field in part["properties"].items()
        if "description" not in field
    ]
    assert bare == []
