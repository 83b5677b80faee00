"""``takeroot pretrain`` makes a folder that ``takeroot fit`` takes, or says what is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from takeroot.api import settings

NETWORK = {"layers": 1, "hidden": 32, "heads": 2, "positions": 32}
TRAINING = {"epochs": 1, "max_tokens": 24, "precision": "fp32"}


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """A recipe beside its texts."""
    texts = [f"第{number}号飞行器的控制器设计" for number in range(60)]
    (tmp_path / "texts.txt").write_text("\n".join(texts), encoding="utf-8")
    path = tmp_path / "chinese.yaml"
    body: dict[str, Any] = {"data": {"paths": ["texts.txt"], "valid_share": 0.2}}
    body |= {"tokenizer": {"vocabulary": 100}, "network": NETWORK, "pretrain": TRAINING}
    path.write_text(json.dumps(body), encoding="utf-8")  # JSON is YAML
    return path


def test_pretrain_tells_what_it_made(
    takeroot: Callable[..., Any], recipe: Path, tmp_path: Path
) -> None:
    ran = takeroot("pretrain", recipe, "--out", tmp_path / "zh", "--json")

    assert ran.code == 0, ran.err
    assert ran.json["model"] == str(tmp_path / "zh")
    assert ran.json["documents"]["train"] + ran.json["documents"]["held_out"] == 60
    assert "texts.txt: 60 of 60 documents" in ran.err


def test_summary_shows_the_figures_before_and_after(
    takeroot: Callable[..., Any], recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    ran = takeroot("pretrain", recipe, "--set", "pretrain.pairs=contrast")

    assert ran.code == 0, ran.err
    assert "pair accuracy" in ran.out
    assert "model: models/chinese" in ran.out
    assert (tmp_path / "models" / "chinese" / "config.json").is_file()


@pytest.mark.slow
def test_fit_takes_the_folder_as_its_model(
    takeroot: Callable[..., Any], recipe: Path, tmp_path: Path
) -> None:
    rows = [
        f"{'飞行器' if k % 2 else '控制器'}第{k}号,{'plane' if k % 2 else 'part'}"
        for k in range(40)
    ]
    (tmp_path / "train.csv").write_text("\n".join(["text,label", *rows]), encoding="utf-8")
    takeroot("pretrain", recipe, "--out", tmp_path / "zh")

    words = ["--model", tmp_path / "zh", "--set", "fit.method=probe"]
    quick = ["--set", "compress.precision=fp32", "--preset", "fast", "--json"]
    ran = takeroot("fit", tmp_path / "train.csv", *words, "--out", tmp_path / "run", *quick)

    assert ran.code == 0, ran.err
    assert ran.json["method"] == "probe"


def test_all_problems_of_a_recipe_are_told_at_once(
    takeroot: Callable[..., Any], recipe: Path
) -> None:
    recipe.write_text("data: {pathes: [a.txt]}\nnetwork: {heads: 3}\npretrain: {epochs: 0}\n")

    ran = takeroot("pretrain", recipe)

    assert ran.code == 1
    assert f"{recipe}:1: data.pathes: unknown key; did you mean data.paths?" in ran.err
    assert f"{recipe}:2: network: heads 3 do not divide hidden 256" in ran.err
    assert f"{recipe}:3: pretrain.epochs: should be greater than 0, got 0" in ran.err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("network.layers=99", "network.layers: should be less than or equal to 24, got 99"),
        ("pretrain.max_tokens=64", "pretrain.max_tokens 64 is more than network.positions 32"),
        ("model=minilm-l6", "is that of model 'minilm-l6'; leave it out"),
        ("data.paths=[absent.txt]", "absent.txt: no such file"),
        ("data.paths=[]", "data.paths: no file was given"),
        ("tokenizer.kind=words", "tokenizer.kind: should be 'wordpiece', 'bpe' or 'unigram'"),
        ("fit.method=full", "fit: unknown key; allowed: data, model, network, pretrain, tokenizer"),
    ],
)
def test_bad_input_is_one_clear_error(
    change: str, message: str, takeroot: Callable[..., Any], recipe: Path, tmp_path: Path
) -> None:
    ran = takeroot("pretrain", recipe, "--out", tmp_path / "zh", "--set", change)

    assert ran.code == 1
    assert message in ran.err
    assert not (tmp_path / "zh").exists()


def test_recipe_commands_know_pretrainings_too(takeroot: Callable[..., Any], recipe: Path) -> None:
    rendered = takeroot("recipe", "render", recipe, "--pretrain", "--json").json
    schema = takeroot("recipe", "schema", "--pretrain", "--json").json

    assert rendered["network"]["layers"] == 1
    assert rendered["pretrain"]["mask_share"] == 0.15
    assert set(schema["properties"]) == set(rendered)


def test_a_pretraining_recipe_is_no_recipe_for_fit(recipe: Path) -> None:
    with pytest.raises(ValueError, match=r"chinese\.yaml:1: data\.paths: unknown key"):
        settings(recipe)
