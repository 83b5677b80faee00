"""Examples made from a table: the rows a task can use, and why the others cannot be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from takeroot.data.cells import CellError, is_missing, to_label, to_text
from takeroot.data.columns import Columns
from takeroot.data.example import Example, Span
from takeroot.data.table import Reject, Row, Table, content_sha256, excerpt
from takeroot.data.write import write_csv
from takeroot.errors import DataError
from takeroot.recipe.models import Fill


@dataclass(frozen=True)
class Dataset:
    """The usable rows of one file; ``rows_in == len(examples) + len(rejects)``.

    Args:
        examples: In the file's order.
        rejects: Rows left out by the reader or here, by line.
        rows_in: How many rows the file has.
        sha256: Hash of the examples: texts, labels, group and time.
        columns: Which column became what.
        name: The file's name.
    """

    examples: tuple[Example, ...]
    rejects: tuple[Reject, ...]
    rows_in: int
    sha256: str
    columns: Columns
    name: str


def build(
    table: Table,
    columns: Columns,
    *,
    missing: Literal["drop"] | Fill = "drop",
    max_chars: int | None = None,
) -> Dataset:
    """The dataset of a table.

    Args:
        table: What was read.
        columns: Which column is what.
        missing: Rows without a text are rejected, or it is filled in. Rows without a label, group
            or time are always rejected.
        max_chars: Rows with a longer text are rejected.

    Raises:
        DataError: If no row can be used.
    """
    fill = missing.fill if isinstance(missing, Fill) else None
    examples: list[Example] = []
    rejects = list(table.rejects)
    for row in table.rows:
        try:
            examples.append(_example(table.name, row, columns, fill, max_chars))
        except CellError as error:
            rejects.append(Reject(row.line, str(error), excerpt(_shown(row, columns.text))))
    rejects.sort(key=lambda reject: reject.line)
    if not examples:
        why = f"; line {rejects[0].line}: {rejects[0].reason}" if rejects else ""
        raise DataError(f"{table.name}: none of its {table.rows_in:,} rows can be used{why}")
    digest = content_sha256(map(_content, examples))
    return Dataset(tuple(examples), tuple(rejects), table.rows_in, digest, columns, table.name)


def write_rejects(dataset: Dataset, path: Path) -> None:
    """Write line, reason and beginning of every rejected row as csv, whole or not at all."""
    write_csv(path, ("line", "reason", "excerpt"), _cells(dataset.rejects))


def names_of(example: Example) -> tuple[str, ...]:
    """The label names of one example: none, one, or several."""
    label = example.label
    if label is None:
        return ()
    if isinstance(label, str):
        return (label,)
    return tuple(item.label if isinstance(item, Span) else item for item in label)


def label_names(examples: Iterable[Example]) -> tuple[str, ...]:
    """Every label name once, sorted."""
    return tuple(sorted({name for example in examples for name in names_of(example)}))


def _example(
    name: str, row: Row, columns: Columns, fill: str | None, max_chars: int | None
) -> Example:
    """The row as an example; raises ``CellError`` with the reason where it cannot be."""
    text = _text(row, columns.text, fill)
    second = None if columns.second is None else _text(row, columns.second, fill)
    longest = max(len(text), len(second or ""))
    if max_chars is not None and longest > max_chars:
        raise CellError(f"text of {longest:,} characters is longer than max_chars {max_chars:,}")
    label = None
    if columns.label is not None:
        value = _filled(row, columns.label, None)
        try:
            label = to_label(value, columns.task, columns.separator, text)
        except CellError as error:
            raise CellError(f"label column {columns.label!r}: {error}") from error
    group = None if columns.group is None else _text(row, columns.group, None)
    time = None if columns.time is None else _text(row, columns.time, None)
    return Example(text, label, second, f"{name}:{row.line}", group, time)


def _text(row: Row, column: str, fill: str | None) -> str:
    try:
        return to_text(_filled(row, column, fill))
    except CellError as error:
        raise CellError(str(error).replace("is a", f"column {column!r} is a", 1)) from error


def _filled(row: Row, column: str, fill: str | None) -> object:
    value = row.values.get(column)
    if not is_missing(value):
        return value
    if fill is None:
        raise CellError(f"column {column!r} is missing a value")
    return fill


def _shown(row: Row, column: str) -> str:
    return str(row.values.get(column, ""))


def _content(example: Example) -> Sequence[object]:
    label = example.label
    if isinstance(label, tuple):
        label_json: object = [
            [i.start, i.end, i.label] if isinstance(i, Span) else i for i in label
        ]
    else:
        label_json = label
    return [example.text, label_json, example.second, example.group, example.time]


def _cells(rejects: Iterable[Reject]) -> Iterator[tuple[object, ...]]:
    return ((reject.line, reject.reason, reject.excerpt) for reject in rejects)
