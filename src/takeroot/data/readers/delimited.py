"""Comma- and tab-separated files, read so that one stray quote cannot swallow the rest.

Quoting follows RFC 4180: a field that begins with a quote ends at the next single quote, inside it
a doubled quote stands for one and line breaks are kept; quotes elsewhere are literal. Python's csv
module reads an unbalanced quote up to the end of the file, so it is given single lines only. A row
of several lines is bounded in characters and lines; when it does not end well, its first line is
rejected and the lines after it are read again, one by one, so the work stays linear.
Tab-separated files have no quoting: quotes are literal.
"""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from takeroot.data.limits import Limits
from takeroot.data.lines import Line, read_lines
from takeroot.data.table import Reject, Row, Table, excerpt, make_table, value_fault
from takeroot.errors import DataError

# Possessive quantifiers: no backtracking, so the time is linear whatever the line holds.
INSIDE = re.compile(r'[^"]*+(?:""[^"]*+)*+')


class _MalformedError(Exception):
    """The row being read cannot be completed; the message is the reason."""


@dataclass
class _Record:
    """A row under construction: it may need several lines until its quotes are closed."""

    dialect: _Dialect
    most: int
    limits: Limits
    fields: list[str] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)
    chars: int = 0
    lines: int = 0
    open: bool = False

    def feed(self, line: Line) -> None:
        """Take one more line; afterwards ``open`` says whether the row goes on.

        Raises:
            _MalformedError: If the row cannot be read.
        """
        self.lines += 1
        self.chars += len(line.text)
        limits = self.limits
        if line.over or self.chars > limits.record_chars:
            raise _MalformedError(f"row is longer than {limits.record_chars:,} characters")
        if self.lines > limits.record_lines:
            raise _MalformedError(f"quote is not closed within {limits.record_lines:,} lines")
        position = self._quoted(line.text, 0) if self.open else 0
        while position <= len(line.text) and not self.open:
            position = self._field(line.text, position)
        if self.open:
            self.parts.append(line.end)

    def _field(self, text: str, position: int) -> int:
        """Read the field at ``position``; the position after its delimiter."""
        if len(self.fields) >= self.most:
            raise _MalformedError(f"has more columns than the header's {self.most}")
        if self.dialect.quoting and text.startswith('"', position):
            self.open = True
            return self._quoted(text, position + 1)
        end = text.find(self.dialect.delimiter, position)
        end = len(text) if end < 0 else end
        self.fields.append(text[position:end])
        return end + 1

    def _quoted(self, text: str, position: int) -> int:
        """Read on inside quotes; the position after the field's delimiter, if it is closed."""
        match = INSIDE.match(text, position)
        end = match.end() if match else position
        self.parts.append(text[position:end])
        if end == len(text):
            if sum(map(len, self.parts)) > self.limits.field_chars:
                raise _MalformedError(
                    f"quote is not closed within {self.limits.field_chars:,} characters"
                )
            return end + 1
        if end + 1 < len(text) and not text.startswith(self.dialect.delimiter, end + 1):
            raise _MalformedError(f"text after the closing quote of column {len(self.fields) + 1}")
        self.fields.append("".join(self.parts).replace('""', '"'))
        self.parts = []
        self.open = False
        return end + 2


@dataclass(frozen=True, slots=True)
class _Read:
    """The line a row starts on, and its fields or the reason why there are none."""

    line: Line
    fields: list[str]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class _Dialect:
    """How fields are told apart."""

    delimiter: str
    quoting: bool


def read_csv(
    path: Path, *, encoding: str | None, limits: Limits, header: tuple[str, ...] | None
) -> Table:
    """The table of a comma-separated file; ``;`` or tab where the header has no comma."""
    return _read(path, encoding, limits, header, tabs=False)


def read_tsv(
    path: Path, *, encoding: str | None, limits: Limits, header: tuple[str, ...] | None
) -> Table:
    """The table of a tab-separated file without quoting."""
    return _read(path, encoding, limits, header, tabs=True)


def _read(
    path: Path, encoding: str | None, limits: Limits, header: tuple[str, ...] | None, *, tabs: bool
) -> Table:
    lines = read_lines(path, encoding, limits)
    first = next((line for line in lines if line.text), None)
    if first is None:
        raise DataError(f"{path}: has only blank lines")
    dialect = _Dialect("\t", False) if tabs else _Dialect(_delimiter(first.text), True)
    notes = []
    if not tabs and dialect.delimiter != ",":
        notes.append(f"columns are separated by {dialect.delimiter!r}: the first line has no comma")
    rest = chain([first], lines)
    if header is None:
        header = _header(path, rest, dialect, limits)
    rows: list[Row] = []
    rejects: list[Reject] = []
    for read in _records(rest, dialect, len(header), limits):
        if reason := read.reason or _fault(read, header, limits):
            rejects.append(Reject(read.line.number, reason, excerpt(read.line.text)))
        else:
            rows.append(Row(read.line.number, dict(zip(header, read.fields, strict=True))))
        if len(rows) + len(rejects) > limits.rows:
            raise DataError(f"{path}: has more than {limits.rows:,} rows; split the file")
    return make_table(path.name, header, rows, rejects, notes)


def _delimiter(first: str) -> str:
    """Comma, unless the first line has none but has semicolons or tabs."""
    if "," in first:
        return ","
    return max((",", ";", "\t"), key=first.count)


def _header(
    path: Path, lines: Iterator[Line], dialect: _Dialect, limits: Limits
) -> tuple[str, ...]:
    """Column names from the first row; a column without one is named by its place.

    Raises:
        DataError: If the row cannot be read, has too many columns, or a name stands twice.
    """
    first = next(lines)
    record = _Record(dialect, limits.columns, limits)
    try:
        record.feed(first)
        while record.open:
            record.feed(next(lines, Line(first.number, "", "", over=True)))
    except _MalformedError as error:
        raise DataError(f"{path}:{first.number}: the header cannot be read: {error}") from error
    fields = [name.strip() for name in record.fields]
    names = [name or f"column_{place}" for place, name in enumerate(fields, start=1)]
    for place, name in enumerate(names):
        if name in names[:place]:
            raise DataError(f"{path}:{first.number}: column {name!r} stands twice in the header")
        if fault := value_fault(name, limits):
            raise DataError(f"{path}:{first.number}: name of column {place + 1}: {fault}")
    return tuple(names)


def _records(
    lines: Iterator[Line], dialect: _Dialect, most: int, limits: Limits
) -> Iterator[_Read]:
    """The rows of ``lines``; blank lines are none."""
    again: deque[Line] = deque()  # lines of a row that did not end well, now read one by one
    while True:
        single = bool(again)
        line = again.popleft() if single else next(lines, None)
        if line is None:
            return
        if not line.text:
            continue
        if single and line.text.count('"') % 2:
            yield _Read(line, [], "unbalanced quote")
            continue
        if (fields := _plain_fields(line, dialect, most)) is not None:
            yield _Read(line, fields)
            continue
        taken = [line]
        try:
            yield _Read(line, _fields(taken, lines, _Record(dialect, most, limits)))
        except _MalformedError as error:
            again.extendleft(reversed(taken[1:]))
            yield _Read(line, [], str(error))


def _plain_fields(line: Line, dialect: _Dialect, most: int) -> list[str] | None:
    """The fields of a row that is surely one line, or None: the fast way for nearly all rows."""
    if line.over:
        return None
    if not dialect.quoting or '"' not in line.text:
        return line.text.split(dialect.delimiter, most)
    try:
        return next(csv.reader([line.text], delimiter=dialect.delimiter, strict=True))
    except csv.Error:  # a quote that is not closed, text after one that is, or a very long field
        return None


def _fields(taken: list[Line], lines: Iterator[Line], record: _Record) -> list[str]:
    """The fields of the row that starts with the one line in ``taken``; further lines go there."""
    record.feed(taken[0])
    while record.open:
        line = next(lines, None)
        if line is None:
            raise _MalformedError("quote is not closed before the end of the file")
        taken.append(line)
        record.feed(line)
    if len(taken) > 1 and len(record.fields) != record.most:
        raise _MalformedError("unbalanced quote")
    return record.fields


def _fault(read: _Read, header: tuple[str, ...], limits: Limits) -> str:
    """Why the row cannot be used, or nothing."""
    fields = read.fields
    if len(fields) > len(header):
        return f"has more columns than the header's {len(header)}"
    if len(fields) < len(header):
        return f"has {len(fields)} of the header's {len(header)} columns"
    if tuple(fields) == header:
        return "repeats the header"
    for name, value in zip(header, fields, strict=True):
        if fault := value_fault(value, limits):
            return f"column {name!r}: {fault}"
    return ""
