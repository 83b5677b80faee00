"""A first recipe for a data file: what was inferred, as settings that can be changed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from takeroot.data.columns import Columns, infer
from takeroot.data.read import read
from takeroot.data.table import Table
from takeroot.errors import RecipeError
from takeroot.files import write_text
from takeroot.recipe import DataRecipe, FitRecipe


def write(data: Path, out: Path, **how: Any) -> Columns:
    """Write a commented recipe for ``data`` to ``out``; gives the columns it names.

    Args:
        data: Labelled file.
        out: The recipe.
        how: The file is read: ``encoding``, ``header`` and ``format`` of ``takeroot.data.read``.

    Raises:
        RecipeError: If ``out`` is there already.
        DataError: If the file cannot be read, or its columns cannot be told.
    """
    if out.exists():
        raise RecipeError(f"{out}: is already there; name another file or remove it")
    table = read(data, **how)
    columns = infer(table)
    path = data if data.is_absolute() else Path(os.path.relpath(data, out.parent))
    write_text(out, render(table, columns, path, how))
    return columns


def render(table: Table, columns: Columns, path: Path, how: Mapping[str, Any]) -> str:
    """The recipe's text."""
    data = {
        "path": str(path),
        "text": columns.text,
        "second": columns.second,
        "label": columns.label,
        **how,
    }
    notes = "".join(f"# {note}\n" for note in columns.notes)
    lines = "".join(f"  {_pair(name, value)}\n" for name, value in data.items() if value)
    share, fit = DataRecipe().valid_share, FitRecipe()
    return (
        f"# {table.rows_in:,} rows, {len(table.rejects):,} of them unreadable.\n{notes}"
        "# Every setting and its default: takeroot recipe render\n"
        f"data:\n{lines}"
        "  # test: test.csv        # labelled rows for the final figures only\n"
        f"  # valid_share: {share}     # share of the rows held out for choosing\n"
        f"{_pair('task', columns.task)}\n"
        "# model: minilm-l6        # packaged name, local folder, or hub id\n"
        "# fit:\n"
        f"#   preset: {fit.preset}      # fast, balanced or best\n"
        "#   time_limit_s: 600\n"
        f"#   seed: {fit.seed}\n"
        "# serve:\n"
        "#   mask: true            # servers that record texts mask personal data in them\n"
    )


def _pair(name: str, value: Any) -> str:
    """One YAML line, quoted where it must be."""
    value = list(value) if isinstance(value, tuple) else value
    dumped = yaml.safe_dump({name: value}, allow_unicode=True, default_flow_style=True, width=10**6)
    return dumped.strip()[1:-1]
