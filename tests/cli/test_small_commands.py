"""init, recipe, models, doctor, verify."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from takeroot import recipe

Run = Callable[..., Any]


def test_init_writes_a_recipe_that_loads(takeroot: Run, shop_csv: Path, tmp_path: Path) -> None:
    ran = takeroot("init", shop_csv, "-o", tmp_path / "r.yaml", "--json")

    made = recipe.load(tmp_path / "r.yaml")
    assert (made.data.text, made.data.label, made.task) == ("text", "intent", "classify")
    assert Path(made.data.path or "").samefile(shop_csv)
    assert ran.json["task"] == "classify"


def test_init_reads_a_file_whose_name_does_not_tell(takeroot: Run, tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("Ann B-PER\nlives O\n\nBob B-PER\n")

    takeroot("init", tmp_path / "t.txt", "-o", tmp_path / "r.yaml", "--format", "conll")

    made = recipe.load(tmp_path / "r.yaml")
    assert (made.data.format, made.task) == ("conll", "tag")


def test_init_writes_the_names_of_a_file_without_any(takeroot: Run, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("hello there,a\ngood bye,b\nhi there,a\nso long,b\n")

    takeroot("init", tmp_path / "t.csv", "-o", tmp_path / "r.yaml", "--header", "text, label")

    assert recipe.load(tmp_path / "r.yaml").data.header == ("text", "label")


def test_init_overwrites_nothing(takeroot: Run, shop_csv: Path) -> None:
    ran = takeroot("init", shop_csv, "-o", shop_csv)

    assert (ran.code, "is already there" in ran.err) == (1, True)


def test_recipe_render_prints_yaml_that_loads(takeroot: Run, tmp_path: Path) -> None:
    (tmp_path / "full.yaml").write_text(takeroot("recipe", "render", "--set", "fit.seed=7").out)

    assert recipe.load(tmp_path / "full.yaml").fit.seed == 7


def test_recipe_schema_is_json(takeroot: Run) -> None:
    assert takeroot("recipe", "schema", "--json").json == recipe.schema()


def test_models_list_names_the_packaged_models(takeroot: Run) -> None:
    models = takeroot("models", "list", "--json").json["models"]

    assert [model["name"] for model in models] == ["minilm-l6", "smollm2-135m"]


def test_models_install_refuses_unknown_names(takeroot: Run) -> None:
    ran = takeroot("models", "install", "bert")

    assert (ran.code, "minilm-l6" in ran.err) == (1, True)


def test_doctor_is_content_here(takeroot: Run) -> None:
    ran = takeroot("doctor", "--json")

    assert (ran.code, ran.json["ok"], ran.json["problems"]) == (0, True, [])
    assert 1 <= ran.json["cores"]["usable"] <= ran.json["cores"]["machine"]


def test_doctor_ends_with_1_where_a_package_is_missing(
    takeroot: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("takeroot.machine.metadata.requires", lambda _: ["nosuchpackage>=1"])

    ran = takeroot("doctor", "--json")

    assert (ran.code, ran.json["problems"]) == (1, ["nosuchpackage is not installed"])


def test_doctor_names_every_extra_and_how_to_get_what_it_lacks(
    takeroot: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [
        "numpy>=1",
        'nosuch>=1; extra == "serve"',
        'numpy>=1; extra == "otel"',
        'x; extra == "dev"',
    ]
    monkeypatch.setattr("takeroot.machine.metadata.requires", lambda _: lines)

    ran = takeroot("doctor", "--json")

    assert ran.code == 0  # an extra may be absent
    assert ran.json["extras"] == {
        "serve": {"installed": False, "missing": ["nosuch is not installed"]},
        "otel": {"installed": True, "missing": []},
    }
    assert "pip install 'takeroot[serve]'" in " ".join(takeroot("doctor").out.split())


def test_verify_accepts_a_whole_bundle(takeroot: Run, shop_bundle: Path) -> None:
    assert takeroot("verify", shop_bundle, "--json").json["ok"] is True


def test_verify_names_what_is_wrong(takeroot: Run, tmp_path: Path) -> None:
    ran = takeroot("verify", tmp_path)

    assert (ran.code, len(ran.err.splitlines())) == (1, 1)
