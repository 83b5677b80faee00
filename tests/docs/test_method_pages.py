"""docs/methods/ has a page for every method, all of one shape, with recipes that are taken."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest
import yaml

from takeroot import recipe
from takeroot.models.adapters import ADAPTERS
from takeroot.recipe.models import Method
from takeroot.search import augment, methods

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "methods"
PAGES = [path for path in sorted(FOLDER.glob("*.md")) if path.name != "index.md"]
SECTIONS = """\
Recipe
When to use it
Settings
How it works
What it costs
What does not go with it""".splitlines()
FENCE = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SET = re.compile(r"^\| `(\w+)` \| (\S+) \|", re.MULTILINE)
EXAMPLE = re.compile(r"examples/[\w.-]+")
BLOCKS = [(path, code) for path in PAGES for code in FENCE.findall(path.read_text("utf-8"))]


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted({*methods.METHODS, *get_args(Method)} - {"auto"}))
def test_method_has_a_page(name: str) -> None:
    assert FOLDER / f"{name.replace('_', '-')}.md" in PAGES


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_page_can_be_found(path: Path) -> None:
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")

    assert f": methods/{path.name}\n" in navigation
    assert f"]({path.name})" in text_of(FOLDER / "index.md")


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_page_has_the_shape_of_all(path: Path) -> None:
    text = text_of(path)

    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == SECTIONS
    assert all((ROOT / name).is_file() for name in EXAMPLE.findall(text))
    assert EXAMPLE.search(text) and FENCE.search(text)


@pytest.mark.parametrize(("path", "code"), BLOCKS, ids=lambda each: getattr(each, "name", ""))
def test_recipe_on_a_page_is_taken(path: Path, code: str, tmp_path: Path) -> None:
    file = tmp_path / "recipe.yaml"
    file.write_text(code, encoding="utf-8")

    made = recipe.load(file)

    methods.check(made)
    if "substitute" not in made.fit.augment:  # which needs its model
        augment.check(made)
    assert made.data.path is not None or made.data.labels


@pytest.mark.parametrize("name", ADAPTERS)
def test_defaults_of_an_adapter_are_those_on_its_page(name: str) -> None:
    table = text_of(FOLDER / f"{name}.md").partition("## Settings")[2].partition("## ")[0]
    shown = {key: yaml.safe_load(default) for key, default in SET.findall(table)}

    own = {key: each for key, each in vars(ADAPTERS[name]()).items() if each is not None}
    assert {key: each for key, each in shown.items() if key != "targets"} == own


@pytest.mark.parametrize("name", ADAPTERS)
def test_page_of_an_adapter_says_how_much_faster_it_learns(name: str) -> None:
    text, rate = text_of(FOLDER / f"{name}.md"), ADAPTERS[name].rate

    words = "ten" if rate == 10 else f"{rate:g}"
    assert f"`fit.learning_rate`: {words} times that of `full`" in text
