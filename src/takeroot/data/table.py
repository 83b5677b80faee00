"""Rows as they stand in a file, before anything is known about what they mean."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from takeroot.data.limits import Limits

EXCERPT_CHARS = 80
SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Row:
    """One row that could be read.

    Args:
        line: Line of the file where the row starts (rows of an object count from 1).
        values: Value by column name: a string for text files; JSON values for the others.
    """

    line: int
    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reject:
    """One row that was left out, and why.

    Args:
        line: Line of the file where the row starts.
        reason: Why, in words.
        excerpt: The beginning of the row.
    """

    line: int
    reason: str
    excerpt: str = ""


@dataclass(frozen=True)
class Table:
    """A file's rows; ``rows_in == len(rows) + len(rejects)`` holds for every file.

    Args:
        name: The file's name, used to say where a row comes from.
        columns: Column names in the file's order.
        rows: The rows that could be read.
        rejects: The rows that could not, in the file's order.
        rows_in: How many rows the file has.
        sha256: Hash of columns and rows as text: the same for the same content in any encoding.
        notes: What the reader had to decide, in words.
    """

    name: str
    columns: tuple[str, ...]
    rows: list[Row]
    rejects: list[Reject]
    rows_in: int
    sha256: str
    notes: tuple[str, ...] = ()


def make_table(
    name: str,
    columns: Sequence[str],
    rows: list[Row],
    rejects: list[Reject],
    notes: Sequence[str] = (),
) -> Table:
    """The table of ``rows`` and ``rejects``, counted and hashed."""
    digest = content_sha256([list(columns)], ([r.values.get(c) for c in columns] for r in rows))
    count = len(rows) + len(rejects)
    return Table(name, tuple(columns), rows, rejects, count, digest, tuple(notes))


def content_sha256(*parts: Iterable[Any]) -> str:
    """Hash of JSON values in order, one JSON text a line."""
    digest = hashlib.sha256()
    encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=str).encode
    for part in parts:
        for value in part:
            digest.update(encode(value).encode("utf-8", "surrogatepass"))
            digest.update(b"\n")
    return digest.hexdigest()


def excerpt(text: str) -> str:
    """The beginning of ``text`` on one printable line."""
    head = text[: EXCERPT_CHARS + 1]
    shown = "".join(c if c.isprintable() else " " for c in head[:EXCERPT_CHARS])
    return shown + ("…" if len(head) > EXCERPT_CHARS else "")


def value_fault(value: str, limits: Limits) -> str:
    """Why a text cannot be used, or nothing."""
    if len(value) > limits.field_chars:
        return f"longer than {limits.field_chars:,} characters"
    if "\0" in value:
        return f"NUL character at place {value.index(chr(0)) + 1}"
    if not value.isascii() and (match := SURROGATE.search(value)):
        return f"undecodable byte or lone surrogate at place {match.start() + 1}"
    return ""
