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
from takeroot.bundle.chat import asked_turns, is_chat
from takeroot.bundle.decode import EMPTY_REASON
from takeroot.bundle.spec import AnyInput
from takeroot.data.cells import CellError, is_missing, to_text
from takeroot.data.table import Row, Table
from takeroot.data.write import Cells, writer
from takeroot.errors import DataError
from takeroot.files import replacing

BLOCK_ROWS = 8192
CHAT_REASON = "bad_chat"  # a list of turns that nothing can be answered to


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
    max_new_tokens: int | None = None,
) -> Outcome:
    """Write the table with an answer a row to ``out``, in the format its name says.

    Args:
        predictor: Gives the answers.
        table: What was read.
        out: A file ending in one of ``WRITERS``.
        text: The text column; the one used in training when absent.
        second: The second text column of a pair; the one used in training when absent.
        max_new_tokens: Most tokens of an answer that is a text; the bundle's limit if absent.

    Raises:
        DataError: If a column is missing, the format is unknown, or ``max_new_tokens`` is given to
            a model that does not write.
    """
    write = writer(out)
    columns = input_columns(predictor.spec, table, text, second)
    names = _free_names(predictor.spec.task, table.columns)
    counts = {"rows": 0, "abstained": 0}

    def filled() -> Iterator[Cells]:
        for row, answer in _answered(predictor, table.rows, columns, max_new_tokens):
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
    predictor: Predictor,
    rows: Iterable[Row],
    columns: tuple[str, ...],
    max_new_tokens: int | None,
) -> Iterator[tuple[Row, Answer]]:
    """Each row with its answer; a row without text is abstained on, unseen by the model."""
    rows = iter(rows)
    while block := list(islice(rows, BLOCK_ROWS)):
        inputs = [_input(predictor.spec, row, columns) for row in block]
        given = [place for place, item in enumerate(inputs) if not isinstance(item, Answer)]
        asked = [item for item in inputs if not isinstance(item, Answer)]
        made = predictor.predict(asked, max_new_tokens=max_new_tokens) if asked else []
        answers = dict(zip(given, made, strict=True))
        for place, (row, item) in enumerate(zip(block, inputs, strict=True)):
            yield row, item if isinstance(item, Answer) else answers[place]


def _input(spec: Spec, row: Row, columns: tuple[str, ...]) -> AnyInput | Answer:
    """What the predictor takes for a row, or the answer where it has nothing to read."""
    value = row.values.get(columns[0])
    if spec.generation is not None and spec.generation.frames and is_chat(value):
        try:
            return asked_turns(value, spec.generation.frames)
        except DataError:
            return Answer(confidence=0.0, abstained=True, reason=CHAT_REASON)
    parts = [_text(row.values.get(column)) for column in columns]
    if not all(parts):
        return Answer(confidence=0.0, abstained=True, reason=EMPTY_REASON)
    return parts[0] if len(parts) == 1 else (parts[0], parts[1])


def _text(value: Any) -> str:
    """A cell as text; nothing where there is nothing to read."""
    try:
        return "" if is_missing(value) else to_text(value)
    except CellError:
        return ""


def _cells(task: str, answer: Answer) -> tuple[Any, float, bool, str | None]:
    """The answer's four cells."""
    predicted: Any = answer.label if answer.text is None else answer.text
    if task == "multilabel":
        predicted = list(answer.labels)
    elif task == "tag":
        predicted = [
            {**asdict(entity), "confidence": round(entity.confidence, 6)}
            for entity in answer.entities
        ]
    return predicted, round(float(answer.confidence), 6), bool(answer.abstained), answer.reason
