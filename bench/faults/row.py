"""One line of the table: what was tried, what came of it, and whether that was promised."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Row:
    """A figure.

    Args:
        part: Of the benchmark.
        what: In words.
        found: The figure, with its unit.
        wanted: The promise.
        ok: Whether it is kept.
        notes: The first few of what was unexpected.
    """

    part: str
    what: str
    found: str
    wanted: str
    ok: bool
    notes: list[str] = field(default_factory=list)
