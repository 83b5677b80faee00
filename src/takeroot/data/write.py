"""Write rows in the format that the file's name says."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from takeroot.errors import DataError, require
from takeroot.files import replacing

Cells = dict[str, Any]


def writer(path: Path) -> Callable[[Path, Sequence[str], Iterable[Cells]], None]:
    """The function that writes files of this name.

    Raises:
        DataError: If the suffix is not one of ``WRITERS``.
    """
    suffix = path.suffix.removeprefix(".").lower()
    if suffix not in WRITERS:
        raise DataError(
            f"{path}: cannot write {suffix!r}; name it with one of: {', '.join(WRITERS)}"
        )
    return WRITERS[suffix]


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> int:
    """Write ``rows`` under ``columns``, whole or not at all; gives how many there were."""
    count = 0
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        file.write(_csv_line(columns))
        for row in rows:
            file.write(_csv_line(row))
            count += 1
    return count


def _write_csv(path: Path, columns: Sequence[str], rows: Iterable[Cells]) -> None:
    ordered = ([row.get(name) for name in columns] for row in rows)
    with path.open("w", encoding="utf-8", newline="") as file:
        file.writelines(map(_csv_line, chain([columns], ordered)))


def _csv_line(cells: Iterable[Any]) -> str:
    """One row; the csv module before Python 3.13 leaves a lone carriage return unquoted."""
    line = ",".join(_quoted(_cell(cell)) for cell in cells)
    return (line or '""') + "\n"  # a blank line would be no row


def _quoted(cell: str) -> str:
    """The cell, in quotes where it would be read as something else without."""
    if not any(mark in cell for mark in ',"\r\n'):
        return cell
    return '"' + cell.replace('"', '""') + '"'


def _write_tsv(path: Path, columns: Sequence[str], rows: Iterable[Cells]) -> None:
    """Tab-separated files have no quoting: tabs and line breaks inside a cell become blanks."""
    flat = str.maketrans("\t\n\r", "   ")
    plain = ({name: _cell(row.get(name)).translate(flat) for name in columns} for row in rows)
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write("\t".join(columns) + "\n")
        file.writelines("\t".join(row.values()) + "\n" for row in plain)


def _write_jsonl(path: Path, columns: Sequence[str], rows: Iterable[Cells]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        for row in rows:
            ordered = {name: row.get(name) for name in columns}
            file.write(json.dumps(ordered, ensure_ascii=False, default=str) + "\n")


def _write_parquet(path: Path, columns: Sequence[str], rows: Iterable[Cells]) -> None:
    arrow = require("pyarrow", "parquet")
    parquet = require("pyarrow.parquet", "parquet")
    held: Mapping[str, list[Any]] = {name: [] for name in columns}
    for row in rows:
        for name in columns:
            held[name].append(row.get(name))
    parquet.write_table(
        arrow.table({name: _arrow_column(arrow, cells) for name, cells in held.items()}), path
    )


def _arrow_column(arrow: Any, cells: list[Any]) -> Any:
    """A typed column; structures, and cells of several types, become JSON texts."""
    nested = any(isinstance(cell, dict) for cell in cells)
    nested |= any(
        isinstance(cell, list) and any(isinstance(x, dict) for x in cell) for cell in cells
    )
    if not nested:
        try:
            return arrow.array(cells)
        except (arrow.ArrowInvalid, arrow.ArrowTypeError, OverflowError):
            pass
    return arrow.array([None if cell is None else _cell(cell) for cell in cells])


def _cell(value: Any) -> str:
    """A value as the text of one csv cell; structures and truth values are JSON."""
    if value is None:
        return ""
    if isinstance(value, bool | list | tuple | dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


WRITERS: dict[str, Callable[[Path, Sequence[str], Iterable[Cells]], None]] = {
    "csv": _write_csv,
    "tsv": _write_tsv,
    "jsonl": _write_jsonl,
    "parquet": _write_parquet,
}
