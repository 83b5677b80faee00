"""What is asked and what should be answered: the rows that a model that writes texts learns from.

A row is a prompt and a response in two columns, a source and a target likewise, or a chat in one
column (``messages``), whose last turn is the response. Every row is kept or rejected with a reason.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from takeroot.bundle.chat import Chat, read_chat
from takeroot.data.cells import CellError, is_missing, to_text
from takeroot.data.table import Reject, Row, Table, content_sha256, excerpt
from takeroot.errors import DataError
from takeroot.recipe.models import Fill

CHATS = ("messages", "conversation", "conversations", "dialogue", "对话")
PAIRS = (
    ("prompt", "response"),
    ("prompt", "completion"),
    ("instruction", "output"),
    ("instruction", "response"),
    ("question", "answer"),
    ("input", "output"),
    ("source", "target"),
    ("document", "summary"),
    ("abstract", "title"),
    ("text", "summary"),
    ("text", "title"),
    ("问题", "回答"),
    ("原文", "译文"),
    ("摘要", "标题"),
)


@dataclass(frozen=True, slots=True)
class Exchange:
    """Something asked, and what should be answered.

    Args:
        prompt: A text, or the turns of a chat up to a user's.
        response: The text that should be written; None where the row has none.
        source: Where it came from, as ``train.csv:12``.
        group: Value of the group column, else None.
        time: Value of the time column, else None.
    """

    prompt: str | Chat
    response: str | None
    source: str = ""
    group: str | None = None
    time: str | None = None

    @property
    def input(self) -> str | Chat:
        """What a predictor takes for this row."""
        return self.prompt

    @property
    def shown(self) -> str:
        """The prompt as one text."""
        if isinstance(self.prompt, str):
            return self.prompt
        return "\n".join(f"{turn.role}: {turn.content}" for turn in self.prompt)


@dataclass(frozen=True)
class ExchangeColumns:
    """Which column is what.

    Args:
        text: Of the prompts, sources or chats.
        label: Of the responses or targets; None for chats, and where there are none.
        chat: Whether ``text`` holds chats.
        group: Whose values never straddle a split, or None.
        time: That orders the rows in time, or None.
        notes: What was inferred and why, one sentence each.
    """

    text: str
    label: str | None
    chat: bool
    group: str | None = None
    time: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Exchanges:
    """The usable rows of one file; ``rows_in == len(rows) + len(rejects)``.

    Args:
        rows: In the file's order.
        rejects: Rows left out by the reader or here, by line.
        rows_in: How many rows the file has.
        sha256: Hash of the rows.
        columns: Which column became what.
        name: The file's name.
    """

    rows: tuple[Exchange, ...]
    rejects: tuple[Reject, ...]
    rows_in: int
    sha256: str
    columns: ExchangeColumns
    name: str


def exchange_columns(
    table: Table,
    task: str,
    *,
    text: str | None = None,
    label: str | None = None,
    group: str | None = None,
    time: str | None = None,
    labelled: bool = True,
) -> ExchangeColumns:
    """The columns of ``table``: those given, and the others by well-known names.

    Args:
        table: What was read.
        task: ``generate`` or ``seq2seq``; only the first has chats.
        text: Of the prompts, or None to infer it; so ``label``.
        label: Of the responses.
        group: Never inferred.
        time: Never inferred.
        labelled: Whether responses are needed; without, only a given column is used.

    Raises:
        DataError: If a given column is missing, or none can be inferred.
    """
    for name in (text, label, group, time):
        if name is not None and name not in table.columns:
            raise DataError(f"{table.name}: no column {name!r}; columns are: {_listed(table)}")
    notes = list(table.notes)
    if text is None:
        text, found = _text(table, task, label, notes)
        label = label or (found if labelled else None)
    chat = task == "generate" and label is None and _holds_chats(table, text)
    if label is None and labelled and not chat:
        label = _label(table, text, notes)
    return ExchangeColumns(text, label, chat, group, time, tuple(notes))


def exchanges(
    table: Table,
    columns: ExchangeColumns,
    *,
    missing: Literal["drop"] | Fill = "drop",
    max_chars: int | None = None,
    labelled: bool = True,
) -> Exchanges:
    """The rows of a table.

    Args:
        table: What was read.
        columns: Which column is what.
        missing: Rows without a prompt are rejected, or it is filled in. Rows without a response
            are always rejected.
        max_chars: Rows with a longer text are rejected.
        labelled: Whether rows hold responses; a chat without them ends with a user's turn.

    Raises:
        DataError: If no row can be used.
    """
    fill = missing.fill if isinstance(missing, Fill) else None
    rows: list[Exchange] = []
    rejects = list(table.rejects)
    for row in table.rows:
        try:
            made = _exchange(table.name, row, columns, fill, labelled)
            _check_length(made, max_chars)
        except CellError as error:
            shown = excerpt(str(row.values.get(columns.text, "")))
            rejects.append(Reject(row.line, str(error), shown))
        else:
            rows.append(made)
    rejects.sort(key=lambda reject: reject.line)
    if not rows:
        why = f"; line {rejects[0].line}: {rejects[0].reason}" if rejects else ""
        raise DataError(f"{table.name}: none of its {table.rows_in:,} rows can be used{why}")
    digest = content_sha256(map(_content, rows))
    return Exchanges(tuple(rows), tuple(rejects), table.rows_in, digest, columns, table.name)


def _text(table: Table, task: str, label: str | None, notes: list[str]) -> tuple[str, str | None]:
    """The prompt column and, where its name tells, the response column."""
    by_name = {name.strip().lower(): name for name in table.columns}
    for name in CHATS if task == "generate" and label is None else ():
        if name in by_name:
            notes.append(f"chats are in column {by_name[name]!r}, by its name")
            return by_name[name], None
    for first, second in PAIRS:
        other = by_name.get(second)
        if first in by_name and other is not None and label in (None, other):
            notes.append(
                f"columns {by_name[first]!r} and {other!r} are what is asked and what should be "
                "answered, by their names"
            )
            return by_name[first], other
    free = [name for name in table.columns if name != label]
    if len(free) == 1:
        notes.append(f"column {free[0]!r} is what is asked: the only one left")
        return free[0], None
    raise DataError(
        f"{table.name}: name the column that is asked with text, and the one that should be "
        f"answered with label; columns are: {_listed(table)}"
    )


def _label(table: Table, text: str, notes: list[str]) -> str:
    """The response column beside a given prompt column."""
    by_name = {name.strip().lower(): name for name in table.columns}
    named = [second for first, second in PAIRS if first == text.strip().lower()]
    found = [by_name[name] for name in named if name in by_name]
    free = [name for name in table.columns if name != text]
    if not found and len(free) == 1:
        found = free
    if not found:
        raise DataError(
            f"{table.name}: name the column that should be answered with label; "
            f"columns are: {_listed(table)}"
        )
    notes.append(f"column {found[0]!r} is what should be answered")
    return found[0]


def _holds_chats(table: Table, column: str) -> bool:
    """Whether the first value of a column that is there is a chat."""
    values = (row.values.get(column) for row in table.rows)
    first = next((value for value in values if not is_missing(value)), None)
    return isinstance(_parsed(first), list)


def _exchange(
    name: str, row: Row, columns: ExchangeColumns, fill: str | None, labelled: bool
) -> Exchange:
    """The row as an exchange; raises ``CellError`` with the reason where it cannot be."""
    value = row.values.get(columns.text)
    source = f"{name}:{row.line}"
    beside = [_cell(row, each) if each else None for each in (columns.group, columns.time)]
    if columns.chat:
        prompt, response = _chat(value, columns.text, labelled)
        return Exchange(prompt, response, source, *beside)
    if is_missing(value):
        if fill is None:
            raise CellError(f"column {columns.text!r} is missing a value")
        value = fill
    text = _as_text(value, columns.text)
    response = None if columns.label is None else _cell(row, columns.label)
    return Exchange(text, response, source, *beside)


def _chat(value: Any, column: str, labelled: bool) -> tuple[Chat, str | None]:
    """The turns that ask, and the answer to them."""
    if is_missing(value):
        raise CellError(f"column {column!r} is missing a value")
    try:
        turns = read_chat(_parsed(value))
    except DataError as error:
        raise CellError(f"column {column!r}: {error}") from error
    asked = turns[1:] if turns[0].role == "system" else turns
    answer = turns[-1].content if turns[-1].role == "assistant" else None
    asked = asked[:-1] if answer is not None else asked
    wanted = ["user" if number % 2 == 0 else "assistant" for number in range(len(asked))]
    if [turn.role for turn in asked] != wanted or len(asked) % 2 == 0:
        raise CellError(
            f"column {column!r}: turns must alternate between user and assistant, after at most "
            "one system turn"
        )
    if answer is None and labelled:
        raise CellError(f"column {column!r}: the last turn is not of role 'assistant'")
    if any(is_missing(turn.content) for turn in turns):
        raise CellError(f"column {column!r}: a turn is empty")
    return turns[: len(turns) - (answer is not None)], answer


def _parsed(value: Any) -> Any:
    """A list that stands in a cell as JSON text, or the value itself."""
    if not isinstance(value, str) or not value.lstrip().startswith("["):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _cell(row: Row, column: str) -> str:
    """A text that must be there."""
    value = row.values.get(column)
    if is_missing(value):
        raise CellError(f"column {column!r} is missing a value")
    return _as_text(value, column)


def _as_text(value: Any, column: str) -> str:
    try:
        return to_text(value)
    except CellError as error:
        raise CellError(str(error).replace("is a", f"column {column!r} is a", 1)) from error


def _check_length(made: Exchange, max_chars: int | None) -> None:
    longest = max(len(made.shown), len(made.response or ""))
    if max_chars is not None and longest > max_chars:
        raise CellError(f"text of {longest:,} characters is longer than max_chars {max_chars:,}")


def _content(row: Exchange) -> Sequence[object]:
    asked: object = row.prompt
    if not isinstance(row.prompt, str):
        asked = [[turn.role, turn.content] for turn in row.prompt]
    return [asked, row.response, row.group, row.time]


def _listed(table: Table) -> str:
    return ", ".join(repr(excerpt(name)) for name in table.columns[:20])


def answers_of(row: Exchange) -> list[Exchange]:
    """Every answer of a chat with what was asked before it; of a prompt, the row itself."""
    if isinstance(row.prompt, str):
        return [row]
    found = [
        Exchange(row.prompt[:place], turn.content, row.source, row.group, row.time)
        for place, turn in enumerate(row.prompt)
        if turn.role == "assistant"
    ]
    return [*found, row]
