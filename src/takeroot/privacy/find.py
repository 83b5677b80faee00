"""Find personal data in texts, and count it by kind."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from takeroot.privacy.patterns import RECOGNISERS, Recogniser


@dataclass(frozen=True, slots=True)
class Found:
    """One piece of personal data: offsets into the text it was found in, and its kind."""

    start: int
    end: int
    kind: str


def find(text: str, recognisers: Mapping[str, Recogniser] = RECOGNISERS) -> list[Found]:
    """Personal data in order of start; where two overlap, the kind that stands first wins."""
    found: list[Found] = []
    for kind, recogniser in recognisers.items():
        for match in recogniser.pattern.finditer(text):
            start, end = match.span()
            free = all(end <= other.start or other.end <= start for other in found)
            if free and recogniser.check(match.group()):
                found.append(Found(start, end, kind))
    return sorted(found, key=lambda item: item.start)


def count(
    texts: Iterable[str], recognisers: Mapping[str, Recogniser] = RECOGNISERS
) -> dict[str, int]:
    """How many pieces of each kind the texts hold, also where written in full-width characters."""
    counts: Counter[str] = Counter(dict.fromkeys(recognisers, 0))
    for text in texts:
        plain = text if text.isascii() else unicodedata.normalize("NFKC", text)
        counts.update(item.kind for item in find(plain, recognisers))
    return dict(counts)
