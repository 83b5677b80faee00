"""The one way data comes in: a file of any known format, or an object in memory, as a ``Table``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from takeroot.data.limits import Limits
from takeroot.data.readers import READERS
from takeroot.data.readers.jsonl import Item, collect
from takeroot.data.readers.parquet import plain_value
from takeroot.data.table import Table
from takeroot.errors import DataError


def read(
    path: str | Path,
    *,
    encoding: str | None = None,
    limits: Limits | None = None,
    header: Sequence[str] | None = None,
    format: str | None = None,
) -> Table:
    """The file's rows, every one kept or rejected with its line and reason.

    Args:
        path: A file; its suffix says the format unless ``format`` does.
        encoding: Used where the file has no byte-order mark and is not UTF-8. Once declared, rows
            with undecodable bytes are rejected one by one instead of refusing the file.
        limits: Bounds on fields, rows and the file.
        header: Column names of a csv or tsv file that has none in its first row.
        format: A key of ``READERS``.

    Raises:
        DataError: If the file cannot be opened, decoded, or divided into rows.
    """
    path = Path(path)
    name = (format or path.suffix.removeprefix(".")).lower()
    if name not in READERS:
        known = ", ".join(READERS)
        raise DataError(f"{path}: format {name!r} is not one of: {known}; name one with format")
    names = None if header is None else _names(path, header)
    return READERS[name](path, encoding=encoding, limits=limits or Limits(), header=names)


def read_object(obj: object, *, name: str = "data", limits: Limits | None = None) -> Table:
    """The rows of a pandas or polars DataFrame, an Arrow table, or an iterable of mappings.

    Raises:
        DataError: If the object is none of these.
    """
    items = (Item(place, row, str(row)[:200]) for place, row in enumerate(_rows(obj), start=1))
    return collect(name, items, limits or Limits())


def _names(path: Path, header: Sequence[str]) -> tuple[str, ...]:
    names = tuple(name.strip() for name in header)
    if not names or not all(names) or len(set(names)) < len(names):
        raise DataError(f"{path}: header needs different, non-empty names, got {names}")
    return names


def _rows(obj: Any) -> Iterable[Any]:
    """Rows as plain values; data frames are told by their methods, so that none is imported."""
    if hasattr(obj, "to_pylist"):  # pyarrow.Table
        rows = obj.to_pylist()
    elif hasattr(obj, "to_dicts"):  # polars.DataFrame
        rows = obj.to_dicts()
    elif hasattr(obj, "iterrows"):  # pandas.DataFrame
        rows = _pandas_rows(obj)
    elif isinstance(obj, Iterable) and not isinstance(obj, (str, bytes, Mapping)):
        rows = obj
    else:
        raise DataError(
            f"data: a {type(obj).__name__} is not a path, a pandas, polars or Arrow table, "
            "or a list of dicts"
        )
    return (_row(row) for row in rows)


def _pandas_rows(frame: Any) -> Iterable[dict[str, Any]]:
    """Rows of a pandas frame, where every missing value (NaN, NaT, NA) is None."""
    columns = [str(name) for name in frame.columns]
    if len(set(columns)) < len(columns):
        raise DataError(f"data: column names must differ, got {columns}")
    missing = frame.isna().to_numpy()
    values = (frame.iloc[:, place].tolist() for place in range(len(columns)))
    for row, gone in zip(zip(*values, strict=True), missing, strict=True):
        yield {c: None if m else v for c, v, m in zip(columns, row, gone, strict=True)}


def _row(row: Any) -> Any:
    return {str(k): plain_value(v) for k, v in row.items()} if isinstance(row, Mapping) else row
