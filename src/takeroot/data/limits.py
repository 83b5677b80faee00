"""Bounds that keep one broken or hostile file from taking all memory or all day."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """What a reader accepts; a row beyond a row's bound is a counted reject.

    Args:
        field_chars: Longest value of one column, in characters.
        record_chars: Longest row, in characters; the rest of a longer line is skipped unread.
        record_lines: Most lines one quoted row may run over.
        columns: Most columns of a file; more is an error.
        blank_lines: Most blank lines in a row; more is an error.
        rows: Most rows of a file, kept and rejected together; more is an error.
        file_bytes: Largest file, in bytes; larger is an error.
    """

    field_chars: int = 65_536
    record_chars: int = 1_048_576
    record_lines: int = 1_000
    columns: int = 4_096
    blank_lines: int = 100_000
    rows: int = 1_000_000
    file_bytes: int = 2 * 1024**3
