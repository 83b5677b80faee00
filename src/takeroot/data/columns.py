"""Which column is what: given names are checked, missing ones are inferred, and it is said why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from takeroot.data.cells import is_missing, is_spans, separator_of, to_text
from takeroot.data.column_names import LABELS, PAIRS, SPANS, TEXTS
from takeroot.data.table import Table, excerpt
from takeroot.errors import DataError

TASKS = ("classify", "multilabel", "pair", "tag")
SAMPLE_ROWS = 5_000  # enough to judge a column by


@dataclass(frozen=True)
class Columns:
    """The columns a task reads.

    Args:
        task: ``classify``, ``multilabel``, ``pair`` or ``tag``.
        text: Column of the text.
        second: Column of the second text (pair), else None.
        label: Column of the label; None where the rows are unlabelled.
        group: Column whose values never straddle a split, or None.
        time: Column that orders the rows in time, or None.
        separator: What stands between the labels of one cell (multilabel), or None.
        notes: What was inferred and why, one sentence each.
    """

    task: str
    text: str
    second: str | None = None
    label: str | None = None
    group: str | None = None
    time: str | None = None
    separator: str | None = None
    notes: tuple[str, ...] = ()


def infer(  # noqa: PLR0913 - one argument a role, each by name
    table: Table,
    *,
    task: str | None = None,
    text: str | None = None,
    label: str | None = None,
    second: str | None = None,
    group: str | None = None,
    time: str | None = None,
    labelled: bool = True,
) -> Columns:
    """The columns of ``table``: those given, and the others inferred.

    Args:
        table: What was read.
        task: One of ``TASKS``, or None to infer it from the label column.
        text: Name of the text column, or None to infer it; so ``label`` and ``second``.
        label: See ``text``.
        second: See ``text``; inferred only from well-known pairs of names.
        group: Name of the group column; never inferred.
        time: Name of the time column; never inferred.
        labelled: Whether a label column is needed; without, only a given one is used.

    Raises:
        DataError: If a given column is missing, none can be inferred, or the first row seems to be
            data instead of column names.
    """
    if task is not None and task not in TASKS:
        raise DataError(f"task {task!r} is not one of: {', '.join(TASKS)}")
    for role, name in (("text", text), ("second", second), ("label", label)):
        _check(table, role, name)
    for role, name in (("group", group), ("time", time)):
        _check(table, role, name)
    if text is None or (label is None and labelled):
        _check_header(table)
    notes = list(table.notes)
    used = {name for name in (text, label, second, group, time) if name is not None}
    if second is None and task in (None, "pair"):
        text, second = _pair(table, text, used, notes, wanted=task == "pair")
        used |= {name for name in (text, second) if name is not None}
    if label is None and labelled:
        label = _label(table, used, notes, task)
        used.add(label)
    if text is None:
        text = _text(table, used, notes)
    task, separator = _task(table, task, second, label, notes)
    return Columns(task, text, second, label, group, time, separator, tuple(notes))


def _check(table: Table, role: str, name: str | None) -> None:
    """The given column exists."""
    if name is None or name in table.columns:
        return
    near = get_close_matches(name, table.columns, n=1)
    hint = f", did you mean {near[0]!r}?" if near else "; name the columns of a file without a "
    hint += "" if near else "header row with header"
    raise DataError(
        f"{table.name}: no {role} column {name!r}; columns are: {_listed(table.columns)}{hint}"
    )


def _check_header(table: Table) -> None:
    """The column names are not a row of data: none of them is a number or a common value."""
    for name in table.columns:
        values = _values(table, name)
        same = sum(value == name for value in values)
        if (_number(name) and values) or same > max(1, len(values) // 1000):
            names = ",".join(f"name{i}" for i in range(1, len(table.columns) + 1))
            raise DataError(
                f"{table.name}:1: the first row seems to be data, not column names: "
                f"{_listed(table.columns)} ({name!r} is {_why(name, same)}); name the "
                f"{len(table.columns)} columns with header, such as --header {names}, or give "
                "both text and label"
            )


def _why(name: str, same: int) -> str:
    return "a number" if _number(name) else f"a value of {same} rows too"


def _pair(
    table: Table, text: str | None, used: set[str], notes: list[str], *, wanted: bool
) -> tuple[str | None, str | None]:
    """Text and second text by well-known names; the given text and None where there are none."""
    by_name = {column.lower(): column for column in table.columns if column not in used - {text}}
    for first, other in PAIRS:
        if first in by_name and other in by_name and text in (None, by_name[first]):
            notes.append(
                f"task is pair: columns {by_name[first]!r} and {by_name[other]!r} are the two texts"
            )
            return by_name[first], by_name[other]
    if wanted:
        raise DataError(
            f"{table.name}: task pair needs two text columns; name them with text and second; "
            f"columns are: {_listed(table.columns)}"
        )
    return text, None


def _label(table: Table, used: set[str], notes: list[str], task: str | None) -> str:
    """The label column, by its name or else by its values."""
    free = [column for column in table.columns if column not in used]
    names = (*SPANS, *LABELS) if task in (None, "tag") else LABELS
    if column := _by_name(free, names):
        others = [other for other in free if other != column and _by_name([other], names)]
        also = f" (so could {_listed(others)} be)" if others else ""
        notes.append(f"label column is {column!r}, by its name{also}")
        return column
    fitting = [column for column in free if _like_labels(_values(table, column))]
    if len(fitting) != 1:
        found = f"{_listed(fitting)} could each be one" if fitting else "none repeats its values"
        raise DataError(
            f"{table.name}: no label column found: {found}; name it with label; "
            f"columns are: {_listed(table.columns)}"
        )
    notes.append(f"label column is {fitting[0]!r}: the only one whose values repeat as labels do")
    return fitting[0]


def _text(table: Table, used: set[str], notes: list[str]) -> str:
    """The text column, by its name or else the one with the longest values."""
    free = [column for column in table.columns if column not in used]
    if column := _by_name(free, TEXTS):
        notes.append(f"text column is {column!r}, by its name")
        return column
    lengths = {column: _mean_length(_values(table, column)) for column in free}
    if not lengths or max(lengths.values()) == 0:
        raise DataError(
            f"{table.name}: no text column found; name it with text; "
            f"columns are: {_listed(table.columns)}"
        )
    column = max(lengths, key=lambda name: lengths[name])
    if len(free) > 1:
        notes.append(f"text column is {column!r}: it has the longest values")
    else:
        notes.append(f"text column is {column!r}: the only one left")
    return column


def _task(
    table: Table, task: str | None, second: str | None, label: str | None, notes: list[str]
) -> tuple[str, str | None]:
    """The task, and what separates labels in one cell."""
    values = [] if label is None else [v for v in _values(table, label) if not is_missing(v)]
    if task is None and second is not None:
        return "pair", None
    if task in (None, "tag") and any(map(is_spans, values)):
        if task is None:
            notes.append(f"task is tag: column {label!r} holds spans of characters")
        return "tag", None
    if task in (None, "multilabel"):
        lists = any(isinstance(value, list) for value in values)
        mark = separator_of([v for v in values if isinstance(v, str)], certain=task is not None)
        if task == "multilabel" or lists or mark:
            how = "lists" if lists else f"several labels separated by {mark!r}"
            if lists or mark:
                notes.append(f"task is multilabel: column {label!r} holds {how}")
            return "multilabel", mark
    if task is None and label is not None:
        notes.append(f"task is classify: column {label!r} holds one label a row")
    return task or "classify", None


def _by_name(columns: Sequence[str], names: Sequence[str]) -> str | None:
    by_name = {column.strip().lower(): column for column in columns}
    return next((by_name[name] for name in names if name in by_name), None)


def _like_labels(values: Sequence[Any]) -> bool:
    """Whether the values are few, short, repeated and not numbers."""
    if not values or any(isinstance(value, dict) for value in values):
        return False
    counts = Counter(to_text(value) for value in values)
    if len(counts) < 2 or len(counts) > max(2, len(values) // 2):
        return False
    return max(map(len, counts)) <= 100 and not all(map(_number, counts))


def _mean_length(values: Sequence[Any]) -> float:
    texts = [value for value in values if isinstance(value, str) and not _number(value)]
    return sum(map(len, texts)) / len(values) if values else 0.0


def _values(table: Table, column: str) -> list[Any]:
    """Values of the column in the first rows, missing ones left out."""
    values = (row.values.get(column) for row in table.rows[:SAMPLE_ROWS])
    return [value for value in values if not is_missing(value)]


def _number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(repr(excerpt(name)) for name in names[:20])
    return shown + (f" and {len(names) - 20} more" if len(names) > 20 else "")
