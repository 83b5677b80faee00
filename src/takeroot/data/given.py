"""The table a recipe means, one that was given or its file's, and what is told of its rows."""

from __future__ import annotations

from dataclasses import replace

from takeroot.data.dataset import Dataset
from takeroot.data.exchanges import Exchanges
from takeroot.data.limits import Limits
from takeroot.data.read import read
from takeroot.data.table import Table
from takeroot.errors import DataError
from takeroot.recipe.models import DataRecipe


def rejects_told(found: Dataset | Exchanges) -> str | None:
    """How many of a file's rows cannot be used, and why the first one; None where all can."""
    if not found.rejects:
        return None
    first = found.rejects[0]
    return (
        f"{found.name}: {len(found.rejects)} of {found.rows_in} rows cannot be used; "
        f"line {first.line}: {first.reason}"
    )


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
