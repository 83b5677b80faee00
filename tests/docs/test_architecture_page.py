"""docs/architecture.md and CONTRIBUTING.md name the layers, packages and tables there are."""

from __future__ import annotations

import re
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
TABLES = re.findall(
    r"^\| `([A-Z_]+)` \| `([\w/]+)\.py` \|",
    (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"),
    re.MULTILINE,
)


def layers() -> list[str]:
    """The layers that import-linter checks, highest first."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    found = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    return [re.sub(r"[()]", "", layer) for layer in found if "__main__" not in layer]


def test_layers_are_those_that_are_checked() -> None:
    assert "```text\n" + "\n".join(layers()) + "\n```" in PAGE


def test_every_package_has_a_row() -> None:
    named = {name for line in PAGE.splitlines() for name in re.findall(r"`(\w+)/?`", line[:50])}

    assert {name for layer in layers() for name in layer.split(" | ")} <= named


@pytest.mark.parametrize(("table", "module"), TABLES)
def test_extension_tables_are_where_they_are_said_to_be(table: str, module: str) -> None:
    name = f"takeroot.{module.replace('/', '.')}".removesuffix(".__init__")

    assert getattr(import_module(name), table)
