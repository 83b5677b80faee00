"""The table a recipe means: one that was given, or its file's."""

from __future__ import annotations

from dataclasses import replace

from takeroot.data.limits import Limits
from takeroot.data.read import read
from takeroot.data.table import Table
from takeroot.errors import DataError
from takeroot.recipe.models import DataRecipe


def given_table(recipe: DataRecipe, path: str | None, table: Table | None) -> Table:
    """The given table, or the file's.

    Args:
        recipe: How files are read.
        path: Of the file.
        table: Rows in place of the file.

    Raises:
        DataError: If there is neither, or the file cannot be read.
    """
    if table is not None:
        return table
    if path is None:
        raise DataError("data.path: no labelled file was given")
    usual = Limits()
    limits = replace(
        usual,
        field_chars=max(usual.field_chars, recipe.max_chars),
        record_chars=max(usual.record_chars, 2 * recipe.max_chars),
    )
    return read(
        path,
        encoding=recipe.encoding,
        limits=limits,
        header=recipe.header,
        format=recipe.format,
    )
