"""Find personal data in texts, and count it by kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from takeroot.privacy.patterns import RECOGNISERS
from takeroot.privacy.plain import plain
from takeroot.privacy.recogniser import Recogniser

BLOT = "]"  # stands for each character of what was found; no recogniser takes it for part of it


@dataclass(frozen=True, slots=True)
class Found:
    """One piece of personal data: offsets into the text it was found in, and its kind."""

    start: int
    end: int
    kind: str


@dataclass(frozen=True, slots=True)
class Scan:
    """What one look at a plain text finds.

    Args:
        pieces: Start, end and kind of each piece, in order.
        rest: The text with the pieces blotted out.
    """

    pieces: list[tuple[int, int, str]]
    rest: str


def scan(text: str, recognisers: Mapping[str, Recogniser]) -> Scan:
    """The pieces of a plain text, kind by kind: no kind sees what one before it has found."""
    pieces: list[tuple[int, int, str]] = []
    for kind, recogniser in recognisers.items():
        done = 0
        parts: list[str] = []
        for start, end in recogniser.spans(text):
            if start >= done:
                pieces.append((start, end, kind))
                parts += text[done:start], BLOT * (end - start)
                done = end
        if parts:
            text = "".join((*parts, text[done:]))
    return Scan(sorted(pieces), text)


def find(text: str, recognisers: Mapping[str, Recogniser] = RECOGNISERS) -> list[Found]:
    """Personal data in order of start, also where written in full-width or among invisible ones."""
    form = plain(text)
    pieces = scan(form.text, recognisers).pieces
    return [Found(*form.span(start, end), kind) for start, end, kind in pieces]


def count(
    texts: Iterable[str], recognisers: Mapping[str, Recogniser] = RECOGNISERS
) -> dict[str, int]:
    """How many pieces of each kind the texts hold."""
    counts: Counter[str] = Counter(dict.fromkeys(recognisers, 0))
    for text in texts:
        counts.update(kind for _, _, kind in scan(plain(text).text, recognisers).pieces)
    return dict(counts)
