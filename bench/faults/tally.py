"""What became of many requests."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Tally:
    """Requests by outcome.

    Args:
        outcomes: By HTTP status or name of the gRPC code; ``lost`` was sent and got no answer,
            ``not sent`` found no connection, ``refused`` could not connect.
        ok_ms: Times of the accepted, from the moment they were due.
        full_ms: Times of those refused with 429 or RESOURCE_EXHAUSTED.
        bare: Those of them that do not say when to come again.
        notes: The first few of what was unexpected.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    ok_ms: list[float] = field(default_factory=list)
    full_ms: list[float] = field(default_factory=list)
    bare: int = 0
    notes: list[str] = field(default_factory=list)

    def add(self, outcome: str, ms: float = 0.0) -> None:
        """Count one."""
        self.outcomes[outcome] += 1
        if outcome in ("200", "OK"):
            self.ok_ms.append(ms)
        elif outcome in ("429", "RESOURCE_EXHAUSTED"):
            self.full_ms.append(ms)

    def note(self, text: str) -> None:
        """Keep what was unexpected."""
        if len(self.notes) < 5:
            self.notes.append(text[:300])

    def __iadd__(self, other: Tally) -> Tally:
        self.outcomes += other.outcomes
        self.ok_ms += other.ok_ms
        self.full_ms += other.full_ms
        self.bare += other.bare
        self.notes += other.notes
        return self

    @property
    def sent(self) -> int:
        """All that were sent."""
        return sum(n for what, n in self.outcomes.items() if what not in ("not sent", "refused"))

    def other_than(self, *known: str) -> int:
        """How many had another outcome."""
        return sum(n for what, n in self.outcomes.items() if what not in known)


def quantile(times: list[float], share: float) -> float:
    """The time that ``share`` of them do not exceed; 0 of none."""
    ranked = sorted(times)
    return ranked[int(share * (len(ranked) - 1))] if ranked else 0.0
