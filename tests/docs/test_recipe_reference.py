"""The table in docs/recipe.md says what the recipe's schema says.

After a change of the schema, write the table again with: python tests/docs/test_recipe_reference.py
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from takeroot import recipe

PAGE = Path(__file__).parents[2] / "docs" / "recipe.md"
BEGIN, END = "<!-- table begins -->\n", "<!-- table ends -->"
BOUNDS = {"minimum": "≥ {}", "exclusiveMinimum": "> {}"}
BOUNDS |= {"maximum": "≤ {}", "exclusiveMaximum": "< {}"}
TYPES = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true, false"}
TYPES |= {"array": "list", "null": ""}


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


def table() -> str:
    """The Markdown table of all settings."""
    schema = recipe.schema()
    rows = []
    for key, part in leaves(schema, schema["$defs"]):
        default = json.dumps(part.get("default"))
        rows.append(f"| `{key}` | `{default}` | {allowed(part)} | {part['description']} |")
    return "\n".join(["| key | default | allowed | meaning |", "|---|---|---|---|", *rows, ""])


def test_table_is_that_of_the_schema() -> None:
    page = PAGE.read_text(encoding="utf-8")

    assert page.partition(BEGIN)[2].partition(END)[0] == table()


def test_every_key_has_a_row() -> None:
    listed = [line.split("`")[1] for line in table().splitlines()[2:]]

    assert listed == list(recipe.keys())


if __name__ == "__main__":
    head, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    PAGE.write_text(head + BEGIN + table() + END + rest.partition(END)[2], encoding="utf-8")
