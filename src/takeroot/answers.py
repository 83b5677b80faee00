"""Answer a whole table: every input column kept, the answers beside it, whole or not at all.

Rows go through the predictor in blocks, so that memory does not grow with the file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from takeroot.bundle import Answer, Predictor, Spec
from takeroot.bundle.decode import EMPTY_REASON
from takeroot.data.cells import CellError, is_missing, to_text
from takeroot.data.table import Row, Table
from takeroot.data.write import Cells, writer
from takeroot.errors import DataError
from takeroot.files import replacing

BLOCK_ROWS = 8192


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
