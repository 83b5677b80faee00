"""Figures as people read them, and safe ways into JSON whose keys may be missing."""

from __future__ import annotations

import math
from typing import Any

MISSING = "–"
JOINED = "\u00a0"  # a number and its unit stay on one line


def number(value: Any) -> float | None:
    """The value as a finite float, or None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def percent(value: Any, digits: int = 1) -> str:
    """A share as ``94.1 %``, with a blank that does not break."""
    found = number(value)
    return MISSING if found is None else f"{100 * found:.{digits}f}{JOINED}%"


def span(ends: Any, digits: int = 1) -> str:
    """An interval of shares as ``93.2 – 94.9``."""
    found = pair(ends)
    if found is None:
        return MISSING
    return f"{100 * found[0]:.{digits}f}{JOINED}–{JOINED}{100 * found[1]:.{digits}f}"


def pair(ends: Any) -> tuple[float, float] | None:
    """Two finite numbers, or None."""
    if not isinstance(ends, list | tuple) or len(ends) != 2:
        return None
    low, high = number(ends[0]), number(ends[1])
    return None if low is None or high is None else (low, high)


def count(value: Any) -> str:
    """A whole number with thousands set apart, as ``10,003``."""
    found = number(value)
    return MISSING if found is None else f"{found:,.0f}"


def short(value: float) -> str:
    """A number for an axis: ``250``, ``1.5k``, ``0.02``."""
    if abs(value) >= 1000:
        return f"{value / 1000:.3g}k"
    return f"{value:.3g}"


def decimal(value: Any, digits: int = 2) -> str:
    """A number with a fixed number of decimals."""
    found = number(value)
    return MISSING if found is None else f"{found:,.{digits}f}"


def duration(seconds: Any) -> str:
    """``0.8 s``, ``47 s`` or ``5 min 20 s``."""
    found = number(seconds)
    if found is None:
        return MISSING
    if found < 60:
        return f"{found:.{int(found < 10)}f}{JOINED}s"
    minutes, rest = divmod(round(found), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def megabytes(value: Any) -> str:
    """A size as ``22.9 MB``."""
    return MISSING if number(value) is None else f"{decimal(value, 1)}{JOINED}MB"


def block(body: Any, *path: str) -> dict[str, Any]:
    """The object at the path, empty where any step is missing or no object."""
    for key in path:
        body = body.get(key) if isinstance(body, dict) else None
    return body if isinstance(body, dict) else {}


def rows(body: Any, key: str) -> list[dict[str, Any]]:
    """The objects in the list under the key, empty where it is missing or no list."""
    found = body.get(key) if isinstance(body, dict) else None
    return (
        [each for each in found if isinstance(each, dict)]
        if isinstance(found, list | tuple)
        else []
    )


def points(items: list[dict[str, Any]], *keys: str) -> list[tuple[float, ...]]:
    """The numbers under the keys of those items that have them all."""
    found = [tuple(number(item.get(key)) for key in keys) for item in items]
    return [tuple(v for v in each if v is not None) for each in found if None not in each]
