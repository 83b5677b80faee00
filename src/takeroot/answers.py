"""Answer a whole table: every input column kept, the answers beside it, whole or not at all.

Rows go through the predictor in blocks, so that memory does not grow with the file.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from takeroot.bundle import Answer, Predictor, Spec
from takeroot.bundle.decode import EMPTY_REASON
from takeroot.data.cells import CellError, is_missing, to_text
from takeroot.data.table import Row, Table
from takeroot.errors import DataError, require
from takeroot.files import replacing

BLOCK_ROWS = 8192
Cells = dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    """What became of a table's rows.

    Args:
        rows: Rows written.
        abstained: Rows among them without an answer the model stands by.
        columns: The names under which the answers were written.
    """

    rows: int
    abstained: int
    columns: tuple[str, ...]


def answer_table(
    predictor: Predictor,
    table: Table,
    out: Path,
    text: str | None = None,
    second: str | None = None,
) -> Outcome:
    """Write the table with an answer a row to ``out``, in the format its name says.

    Args:
        predictor: Gives the answers.
        table: What was read.
        out: A file ending in one of ``WRITERS``.
        text: The text column; the one used in training when absent.
        second: The second text column of a pair; the one used in training when absent.

    Raises:
        DataError: If a column is missing or the format is unknown.
    """
    write = writer(out)
    columns = input_columns(predictor.spec, table, text, second)
    names = _free_names(predictor.spec.task, table.columns)
    counts = {"rows": 0, "abstained": 0}

    def filled() -> Iterator[Cells]:
        for row, answer in _answered(predictor, table.rows, columns):
            counts["rows"] += 1
            counts["abstained"] += answer.abstained
            cells = _cells(predictor.spec.task, answer)
            yield {**row.values, **dict(zip(names, cells, strict=True))}

    with replacing(out) as temporary:
        write(temporary, (*table.columns, *names), filled())
    return Outcome(counts["rows"], counts["abstained"], names)


def input_columns(
    spec: Spec, table: Table, text: str | None = None, second: str | None = None
) -> tuple[str, ...]:
    """The column, or two columns for a pair, that hold what the model reads.

    Raises:
        DataError: If one is missing; the message lists the columns there are.
    """
    first = _column(table, text, spec.input.text, "text")
    if spec.task != "pair":
        return (first,)
    return first, _column(table, second, spec.input.second or "second", "second")


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


def _column(table: Table, wanted: str | None, trained: str, option: str) -> str:
    """The wanted column, else the one seen in training, else the only one."""
    if wanted is None and trained in table.columns:
        return trained
    if wanted is None and option == "text" and len(table.columns) == 1:
        return table.columns[0]
    if wanted in table.columns:
        return str(wanted)
    have = ", ".join(table.columns)
    raise DataError(
        f"{table.name}: no column {wanted or trained!r}; name one with --{option}: {have}"
    )


def _free_names(task: str, taken: Sequence[str]) -> tuple[str, ...]:
    """The answer's column names; a name the input has already is set apart by ``takeroot_``."""
    first = "entities" if task == "tag" else "predicted"
    names = (first, "confidence", "abstained", "reason")
    return tuple(f"takeroot_{name}" if name in taken else name for name in names)


def _answered(
    predictor: Predictor, rows: Iterable[Row], columns: tuple[str, ...]
) -> Iterator[tuple[Row, Answer]]:
    """Each row with its answer; a row without text is abstained on, unseen by the model."""
    rows = iter(rows)
    while block := list(islice(rows, BLOCK_ROWS)):
        texts = [[_text(row.values.get(column)) for column in columns] for row in block]
        given = [place for place, parts in enumerate(texts) if all(parts)]
        inputs = [_input(texts[place]) for place in given]
        answers = dict(zip(given, predictor.predict(inputs) if inputs else [], strict=True))
        silent = Answer(confidence=0.0, abstained=True, reason=EMPTY_REASON)
        yield from ((row, answers.get(place, silent)) for place, row in enumerate(block))


def _text(value: Any) -> str:
    """A cell as text; nothing where there is nothing to read."""
    try:
        return "" if is_missing(value) else to_text(value)
    except CellError:
        return ""


def _input(parts: Sequence[str]) -> str | tuple[str, str]:
    """What the predictor takes for one row."""
    return parts[0] if len(parts) == 1 else (parts[0], parts[1])


def _cells(task: str, answer: Answer) -> tuple[Any, float, bool, str | None]:
    """The answer's four cells."""
    predicted: Any = answer.label
    if task == "multilabel":
        predicted = list(answer.labels)
    elif task == "tag":
        predicted = [
            {**asdict(entity), "confidence": round(entity.confidence, 6)}
            for entity in answer.entities
        ]
    return predicted, round(float(answer.confidence), 6), bool(answer.abstained), answer.reason


def _write_csv(path: Path, columns: Sequence[str], rows: Iterable[Cells]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(_csv_line(columns))
        file.writelines(_csv_line(_cell(row.get(name)) for name in columns) for row in rows)


def _csv_line(cells: Iterable[str]) -> str:
    """One row; the csv module before Python 3.13 leaves a lone carriage return unquoted."""
    return ",".join(_quoted(cell) for cell in cells) + "\n"


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
        except (arrow.ArrowInvalid, arrow.ArrowTypeError):
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
