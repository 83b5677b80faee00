"""No setting of a pretraining is there for show, and each is on its page."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path

import pytest

import takeroot.recipe
from takeroot.recipe import PretrainRecipe, from_dict_of, keys, render
from takeroot.train import TrainConfig

PACKAGE = Path(takeroot.recipe.__file__).parents[1]
READERS = (*PACKAGE.glob("pretraining/*.py"), PACKAGE / "models" / "vocabulary.py")
PAGE = Path(__file__).parents[1] / "docs" / "pretraining.md"


@pytest.fixture(scope="module")
def read_names() -> set[str]:
    """Every attribute that pretraining, and the tokenizers it makes, read.

    The loop's own settings are handed to it by name, and read there.
    """
    of_the_loop = {each.name for each in fields(TrainConfig)}
    return attributes(READERS) | (of_the_loop & attributes(PACKAGE.glob("train/*.py")))


def attributes(paths: Iterable[Path]) -> set[str]:
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in paths]
    return {
        node.attr for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Attribute)
    }


@pytest.mark.parametrize("key", sorted(keys(PretrainRecipe)))
def test_setting_is_read(key: str, read_names: set[str]) -> None:
    assert key.rpartition(".")[2] in read_names


def test_a_rendered_recipe_is_the_recipe() -> None:
    import yaml

    first = from_dict_of(PretrainRecipe, {"data": {"paths": ["a.txt"]}, "model": "minilm-l6"})

    assert from_dict_of(PretrainRecipe, yaml.safe_load(render(first))) == first
