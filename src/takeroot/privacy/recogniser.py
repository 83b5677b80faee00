"""What a recogniser is, and the one that most kinds of personal data need: a form and a check."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

_CONTEXT = 24  # characters before a piece that may speak against it


class Recogniser(Protocol):
    """One kind of personal data.

    Both methods get plain text (see ``plain``), may be called from several threads at once, and
    take time linear in it. What they raise makes masking fail.
    """

    def spans(self, text: str) -> Iterable[tuple[int, int]]:
        """Where pieces stand, in order of start; where two overlap, the first counts."""

    def value(self, piece: str) -> str:
        """What all ways of writing this piece have in common."""


def whole(check: Callable[[str], bool]) -> Callable[[str], int]:
    """The ``fit`` of a candidate that is taken whole or not at all."""
    return lambda piece: len(piece) if check(piece) else 0


def letters_and_digits(piece: str) -> str:
    """The piece in capitals without what separates its groups."""
    return re.sub(r"[\W_]", "", piece).upper()


@dataclass(frozen=True)
class Form:
    """A kind that is told by its form and, where there is one, its check digit.

    Args:
        pattern: What a candidate looks like; bounded, so that it takes linear time. If it has
            groups, the last one that matched is the candidate.
        fit: How many characters from the candidate's start are the piece; 0 if it is none.
        value: What all ways of writing a piece have in common.
        not_after: Whether the text before a candidate, up to 24 characters, speaks against it.
        needs: What every text with a piece holds; looked for first, as most texts hold none.
    """

    pattern: re.Pattern[str]
    fit: Callable[[str], int] = len
    value: Callable[[str], str] = letters_and_digits
    not_after: Callable[[str], bool] | None = None
    needs: re.Pattern[str] = re.compile("[0-9]")

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Where pieces stand; a candidate that is none may hide a piece that begins within it."""
        if self.needs.search(text) is None:
            return
        if self.fit is len and self.not_after is None and not self.pattern.groups:
            yield from (match.span() for match in self.pattern.finditer(text))
            return
        search, fit, refused = self.pattern.search, self.fit, self.not_after
        at = 0
        while (match := search(text, at)) is not None:
            start, end = match.span(match.lastindex or 0)
            size = fit(text[start:end])
            if size and refused is not None and refused(text[max(0, start - _CONTEXT) : start]):
                size = 0
            if size:
                yield start, start + size
            at = start + size if size else match.start() + 1
