"""What a value of a table means as a text, a label, several labels, or spans."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, TypeGuard

from takeroot.data.example import Label, Span

SEPARATORS = ("|", ";", ",")
KEYS = (("start", "start_position"), ("end", "end_position"), ("label", "type", "entity_type"))


class CellError(ValueError):
    """The value cannot be used; the message is the reason."""


def is_missing(value: Any) -> bool:
    """Whether there is nothing: None, an empty text, or blanks only. An empty list is a value."""
    return value is None or (isinstance(value, str) and not value.strip())


def is_spans(value: Any) -> bool:
    """Whether the value is a list of objects with start and end, possibly as JSON text."""
    if isinstance(value, str):
        if not value.lstrip().startswith("[{"):
            return False
        value = _json(value)
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(item, dict) and not item.keys().isdisjoint(KEYS[0]) for item in value)
    )


def to_text(value: Any) -> str:
    """The value as text; whole floats lose their ``.0``, since missing values make ints floats.

    Raises:
        CellError: If it is a list or an object.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, (list, dict)):
        raise CellError(f"is a {type(value).__name__}, not a text")
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def to_label(value: Any, task: str, separator: str | None, text: str) -> Label:
    """The label of a row, blanks around names removed.

    Raises:
        CellError: If the value is no label of this task.
    """
    if task == "tag":
        return to_spans(value, text)
    if task == "multilabel":
        return to_names(value, separator)
    return to_text(value).strip()


def to_names(value: Any, separator: str | None) -> tuple[str, ...]:
    """Label names of one row, sorted, each once; an empty list or ``[]`` is a row without labels.

    Raises:
        CellError: If an item of the list is itself a list or an object.
    """
    if isinstance(value, str) and value.lstrip().startswith("["):
        parsed = _json(value)
        value = parsed if isinstance(parsed, list) else value
    if isinstance(value, list):
        parts = [to_text(item) for item in value if item is not None]
    else:
        text = to_text(value)
        parts = text.split(separator) if separator else [text]
    return tuple(sorted({part.strip() for part in parts} - {""}))


def to_spans(value: Any, text: str) -> tuple[Span, ...]:
    """Spans of characters in ``text``, in order of start.

    Raises:
        CellError: If the value is not a list of spans, or one lies outside the text, is empty, or
            overlaps another.
    """
    if isinstance(value, str):
        value = _json(value)
    if not isinstance(value, list):
        raise CellError("is not a list of entities with start, end and label")
    spans = sorted((_span(item, text) for item in value), key=lambda span: (span.start, span.end))
    for before, after in pairwise(spans):
        if after.start < before.end:
            raise CellError(
                f"entities overlap: {before.start}-{before.end} and {after.start}-{after.end}"
            )
    return tuple(spans)


def separator_of(values: Sequence[str], *, certain: bool = False) -> str | None:
    """What separates several labels in one cell, or None where cells hold one label.

    A character is taken for a separator when the parts it makes are labels themselves: at least
    half of them also stand alone in some cell. A label such as ``Food, Drinks`` is not split.

    Args:
        values: The label cells.
        certain: The task is known to be multilabel: take the first character that occurs.
    """
    counts = Counter(value.strip() for value in values)
    for mark in SEPARATORS:
        joined = [value for value in counts if mark in value]
        if joined and certain:
            return mark
        parts = {part.strip() for value in joined for part in value.split(mark)} - {""}
        rows = sum(counts[value] for value in joined)
        alone = sum(part in counts for part in parts)
        if rows >= max(2, len(values) // 200) and alone * 2 >= len(parts):
            return mark
    return None


def _span(item: Any, text: str) -> Span:
    """One entity, as an object with the keys of ``KEYS`` or as ``[start, end, label]``."""
    if isinstance(item, dict):
        parts = [next((item[key] for key in keys if key in item), None) for keys in KEYS]
    else:
        parts = item if isinstance(item, list) and len(item) == 3 else [None] * 3
    start, end, label = parts
    if not _offset(start) or not _offset(end) or not isinstance(label, str) or not label.strip():
        raise CellError(f"entity {str(item)[:60]} is not start, end and label")
    if not 0 <= start < end <= len(text):
        raise CellError(f"entity {start}-{end} is not inside the text of {len(text)} characters")
    return Span(start, end, label.strip())


def _offset(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _json(text: str) -> Any:
    """The JSON value, or None."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
