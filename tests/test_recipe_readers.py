"""No setting is there for show: the code reads every one of them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import takeroot.recipe

PACKAGE = Path(takeroot.recipe.__file__).parents[1]
OWN = PACKAGE / "recipe"


@pytest.fixture(scope="module")
def read_names() -> set[str]:
    """Every attribute that any module other than the recipe's own reads."""
    modules = [path for path in PACKAGE.rglob("*.py") if OWN not in path.parents]
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in modules]
    return {
        node.attr for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Attribute)
    }


@pytest.mark.parametrize("key", sorted(takeroot.recipe.keys()))
def test_setting_is_read(key: str, read_names: set[str]) -> None:
    assert key.rpartition(".")[2] in read_names
