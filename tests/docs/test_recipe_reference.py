"""The tables of settings in docs/ say what the recipes' schemas say.

After a change of a schema, write them again with: python tests/docs/test_recipe_reference.py
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from takeroot import recipe

DOCS = Path(__file__).parents[2] / "docs"
PAGES: dict[str, type[BaseModel]] = {
    "recipe.md": recipe.Recipe,
    "pretraining.md": recipe.PretrainRecipe,
}
BEGIN, END = "<!-- table begins -->\n", "<!-- table ends -->"
BOUNDS = {"minimum": "≥ {}", "exclusiveMinimum": "> {}"}
BOUNDS |= {"maximum": "≤ {}", "exclusiveMaximum": "< {}"}
TYPES = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true, false"}
TYPES |= {"array": "list", "object": "mapping", "null": ""}


def leaves(
    schema: dict[str, Any], defined: dict[str, Any], prefix: str = ""
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Dotted name and JSON Schema of every setting."""
    for name, part in schema["properties"].items():
        inner = defined.get(part.get("$ref", "").rpartition("/")[2])
        if inner is None:
            yield prefix + name, part
        else:
            yield from leaves(inner, defined, f"{prefix}{name}.")


def allowed(part: dict[str, Any]) -> str:
    """What a setting may be, in words."""
    if "anyOf" in part:
        return ", ".join(filter(None, map(allowed, part["anyOf"])))
    if "$ref" in part:
        return "`{" + part["$ref"].rpartition("/")[2].lower() + ": …}`"
    choices = part.get("enum", [part["const"]] if "const" in part else [])
    bounds = [text.format(part[key]) for key, text in BOUNDS.items() if key in part]
    pattern = [f"`{part['pattern']}`"] if "pattern" in part else []
    words = ", ".join(f"`{choice}`" for choice in choices) or TYPES[part["type"]]
    return " ".join(filter(None, [words, " and ".join(bounds), *pattern]))


def table(kind: type[BaseModel]) -> str:
    """The Markdown table of all settings."""
    schema = recipe.schema(kind)
    rows = []
    for key, part in leaves(schema, schema["$defs"]):
        default = json.dumps(part.get("default"))
        rows.append(f"| `{key}` | `{default}` | {allowed(part)} | {part['description']} |")
    return "\n".join(["| key | default | allowed | meaning |", "|---|---|---|---|", *rows, ""])


@pytest.mark.parametrize("page", PAGES)
def test_table_is_that_of_the_schema(page: str) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")

    assert text.partition(BEGIN)[2].partition(END)[0] == table(PAGES[page])


@pytest.mark.parametrize("kind", PAGES.values())
def test_every_key_has_a_row(kind: type[BaseModel]) -> None:
    listed = [line.split("`")[1] for line in table(kind).splitlines()[2:]]

    assert listed == list(recipe.keys(kind))


if __name__ == "__main__":
    for name, model in PAGES.items():
        head, _, rest = (DOCS / name).read_text(encoding="utf-8").partition(BEGIN)
        whole = head + BEGIN + table(model) + END + rest.partition(END)[2]
        (DOCS / name).write_text(whole, encoding="utf-8")
