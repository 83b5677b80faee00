"""What a check found: its kind, how bad it is, and the rows to look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

Level = Literal["error", "warn", "info"]
LISTED_ROWS = 1_000


@dataclass(frozen=True, slots=True)
class Finding:
    """One row to look at.

    Args:
        source: Where it stands, as ``train.csv:12``.
        note: What is odd about it; never its text, since reports are passed on.
    """

    source: str
    note: str = ""


@dataclass(frozen=True)
class Issue:
    """One thing a check found.

    Args:
        kind: One word for programs, such as ``duplicates``.
        level: ``error`` stops training, ``warn`` should be looked at, ``info`` is good to know.
        count: How many rows (or classes) it concerns.
        message: One sentence for people.
        rows: The rows concerned; those beyond the first thousand are counted only.
    """

    kind: str
    level: Level
    count: int
    message: str
    rows: tuple[Finding, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        listed = [{"source": row.source, "note": row.note} for row in self.rows[:LISTED_ROWS]]
        return {
            "kind": self.kind,
            "level": self.level,
            "count": self.count,
            "message": self.message,
            "rows": listed,
        }


def listed(names: Sequence[str], most: int = 8) -> str:
    """The first few names, and how many more there are."""
    shown = ", ".join(repr(name) for name in names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")
