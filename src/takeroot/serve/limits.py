"""How fast and how much a token may ask: a token bucket a second, a count of texts a UTC day."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from threading import Lock

from pydantic import BaseModel, ConfigDict, Field

from takeroot.errors import RecipeError

DAY_S = 86_400
_RATE = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)/([smh])")
_PER_S = {"s": 1.0, "m": 1 / 60, "h": 1 / 3600}
_HIGHEST = 1_000_000


class Rate(BaseModel):
    """Requests a second in the long run, and how many at once."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    per_s: float = Field(gt=0, le=_HIGHEST, allow_inf_nan=False)
    burst: int = Field(ge=1, le=_HIGHEST)


def parse_rate(text: str, burst: int | None = None) -> Rate:
    """The rate that ``50/s``, ``600/m`` or ``100/h`` stands for.

    Args:
        text: Requests a second, minute or hour.
        burst: Requests at once; by default a second's worth, at least one.

    Raises:
        RecipeError: If it is none, or out of range.
    """
    found = _RATE.fullmatch(text.strip())
    if found is None:
        raise RecipeError(f"rate {text!r}: write requests a second, minute or hour, such as 50/s")
    per_s = float(found[1]) * _PER_S[found[2]]
    if not 0 < per_s <= _HIGHEST:
        raise RecipeError(f"rate {text!r}: must be above 0 and at most {_HIGHEST}/s")
    burst = max(1, math.ceil(per_s)) if burst is None else burst
    if not 1 <= burst <= _HIGHEST:
        raise RecipeError(f"burst {burst}: must be from 1 to {_HIGHEST}")
    return Rate(per_s=per_s, burst=burst)


class Bucket:
    """What is left of one token's rate; it starts full. The caller holds the lock."""

    __slots__ = ("_at", "_level")

    def __init__(self) -> None:
        self._level = math.inf  # cut to the burst by the first request
        self._at = 0.0

    def take(self, rate: Rate, now: float) -> float:
        """0 if a request may pass at ``now`` (seconds), else how many seconds later one may.

        A clock that was set back counts from its new time: it never starves a token.
        """
        gained = max(0.0, now - self._at) * rate.per_s
        level = min(float(rate.burst), self._level + gained)
        self._at = now
        if level >= 1:
            self._level = level - 1
            return 0.0
        self._level = level
        return (1 - level) / rate.per_s


class Quotas:
    """Texts taken today (UTC) by each token.

    Args:
        taken: What was taken on ``day`` before this process started.
        day: Days since 1970 in UTC.
    """

    def __init__(self, taken: Mapping[str, int], day: int) -> None:
        self._taken = dict(taken)
        self._day = day
        self._lock = Lock()

    def take(self, name: str, texts: int, limit: int | None, day: int) -> bool:
        """Whether ``texts`` more stay within ``limit``; if so they are taken, else none is.

        Without a limit they are counted all the same: one may be set later in the day.
        """
        with self._lock:
            self._turn(day)
            taken = self._taken.get(name, 0) + texts
            if limit is not None and taken > limit:
                return False
            self._taken[name] = taken
            return True

    def give_back(self, name: str, texts: int, day: int) -> None:
        """Undo a ``take`` of the same day whose work was not done."""
        with self._lock:
            self._turn(day)
            self._taken[name] = max(0, self._taken.get(name, 0) - texts)

    def _turn(self, day: int) -> None:
        """Start from nothing on a new day."""
        if day != self._day:
            self._taken.clear()
            self._day = day
