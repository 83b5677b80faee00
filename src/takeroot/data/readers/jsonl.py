"""JSON Lines (one object a line) and JSON arrays of objects.

Stricter than Python's json module where data would be lost or not be JSON: a key that stands twice,
NaN and infinity, and lone surrogates reject their row.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from takeroot.data.limits import Limits
from takeroot.data.lines import read_lines, read_text
from takeroot.data.table import Reject, Row, Table, excerpt, make_table, value_fault
from takeroot.errors import DataError

ARRAY_CHARS = 64 * 1024**2
MOST_ITEMS = 10_000  # inside one row; spans and label lists are far fewer
TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+"|[\[\]{}]', re.DOTALL)
SPACE = re.compile(r"[\s,]*+")


@dataclass(frozen=True, slots=True)
class Item:
    """One row before it is judged.

    Args:
        line: Line of the file where it starts.
        value: Its parsed value.
        text: What to show of it where it is rejected.
        fault: Why it could not be parsed, or nothing.
    """

    line: int
    value: Any
    text: str
    fault: str = ""


def read_jsonl(
    path: Path, *, encoding: str | None, limits: Limits, header: tuple[str, ...] | None
) -> Table:
    """The table of a file with one JSON object a line; columns in order of first appearance."""
    _no_header(path, header)
    lines = read_lines(path, encoding, limits)
    items = (
        Item(line.number, None, line.text, f"row is longer than {limits.record_chars:,} characters")
        if line.over
        else parse(line.number, line.text)
        for line in lines
        if line.text.strip()
    )
    return collect(path.name, items, limits)


def read_json(
    path: Path, *, encoding: str | None, limits: Limits, header: tuple[str, ...] | None
) -> Table:
    """The table of a JSON array of objects, or of JSON Lines in a file named ``.json``."""
    _no_header(path, header)
    lines = read_lines(path, encoding, limits)
    first = next((line.text.lstrip() for line in lines if line.text.strip()), "")
    lines.close()
    if not first.startswith("["):
        return read_jsonl(path, encoding=encoding, limits=limits, header=None)
    text = read_text(path, encoding, limits, ARRAY_CHARS)
    return collect(path.name, _elements(path, text, text.index("[") + 1, limits), limits)


def collect(name: str, items: Iterable[Item], limits: Limits) -> Table:
    """The table of JSON objects; columns in order of first appearance."""
    columns: dict[str, None] = {}
    rows: list[Row] = []
    rejects: list[Reject] = []
    for item in items:
        if fault := item.fault or _fault(item.value, limits):
            rejects.append(Reject(item.line, fault, excerpt(item.text)))
        else:
            columns.update(dict.fromkeys(item.value))
            rows.append(Row(item.line, item.value))
        if len(columns) > limits.columns:
            raise DataError(f"{name}:{item.line}: more than {limits.columns:,} different keys")
        if len(rows) + len(rejects) > limits.rows:
            raise DataError(f"{name}: has more than {limits.rows:,} rows; split the file")
    return make_table(name, tuple(columns), rows, rejects)


def parse(line: int, text: str) -> Item:
    """The JSON value of one row, or why there is none."""
    try:
        value = json.loads(
            text, object_pairs_hook=_object, parse_constant=_constant, parse_float=_float
        )
    except json.JSONDecodeError as error:
        return Item(line, None, text, f"is not JSON: {error.msg} at place {error.colno}")
    except ValueError as error:  # ours, and Python's bound on the digits of a number
        return Item(line, None, text, f"is not usable JSON: {error}".split(";")[0])
    except RecursionError:
        return Item(line, None, text, "is nested too deeply")
    return Item(line, value, text)


def _elements(path: Path, text: str, position: int, limits: Limits) -> Iterator[Item]:
    """The elements of the JSON array whose first element is at ``position``."""
    line, counted = 1, 0
    while True:
        space = SPACE.match(text, position)
        start = space.end() if space else position
        line, counted = line + text.count("\n", counted, start), start
        if text.startswith("]", start):
            return
        if not text.startswith("{", start):
            raise DataError(
                f"{path}:{line}: expected an object, found {excerpt(text[start : start + 20])!r}; "
                "the file must be an array of objects, like [{...}, {...}]"
            )
        position = _end(path, text, start, line)
        if position - start > limits.record_chars:
            fault = f"row is longer than {limits.record_chars:,} characters"
            yield Item(line, None, text[start : start + 200], fault)
        else:
            yield parse(line, text[start:position])


def _end(path: Path, text: str, start: int, line: int) -> int:
    """Where the object that begins at ``start`` ends."""
    depth = 0
    for match in TOKEN.finditer(text, start):
        token = match.group()
        depth += (token in "[{") - (token in "]}") if len(token) == 1 else 0
        if depth == 0:
            return match.end()
    raise DataError(f"{path}:{line}: the object that starts here does not end")


def _fault(value: Any, limits: Limits) -> str:
    """Why a parsed row cannot be used, or nothing."""
    if not isinstance(value, dict):
        return f"is not a JSON object but a {type(value).__name__}"
    if not value:
        return "is an object without keys"
    if len(value) > limits.columns:
        return f"has more than {limits.columns:,} keys"
    for key, item in value.items():
        fault = value_fault(key, limits) or _value_fault(item, limits)
        if fault:
            return f"key {excerpt(key)!r}: {fault}"
    return ""


def _value_fault(value: Any, limits: Limits) -> str:
    """Why a value, or one inside it, cannot be used, or nothing; without recursion."""
    waiting, seen = [value], 0
    while waiting:
        item = waiting.pop()
        seen += 1
        if seen > MOST_ITEMS:
            return f"more than {MOST_ITEMS:,} nested values"
        if isinstance(item, str) and (fault := value_fault(item, limits)):
            return fault
        if isinstance(item, dict):
            waiting.extend(item)
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)
    return ""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = Counter(keys).most_common(1)[0][0]
        raise ValueError(f"key {excerpt(twice)!r} stands twice")
    return value


def _constant(name: str) -> float:
    raise ValueError(f"{name} is not a JSON number")


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"number {excerpt(text)} is too large")
    return value


def _no_header(path: Path, header: tuple[str, ...] | None) -> None:
    if header is not None:
        raise DataError(f"{path}: JSON rows name their own columns; leave out {', '.join(header)}")
