"""A text as recognisers read it, with the way back to the original's characters.

The plain form is NFKC (Unicode Standard Annex 15) in which moreover invisible characters are left
out, every decimal digit, dash and blank is the ASCII one, and marks on ASCII characters are
dropped: full-width digits, zero-width characters or keycaps hide nothing. It is made of short
segments, each of one base character and what belongs to it, so that every character of the plain
form knows the stretch of the original it came from.

Cost: linear. A segment takes at most 32 characters, which also bounds the sorting of marks.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

_JOINED = "\uffff"  # stands for a character that belongs to the one before it
_LONGER = "\ufffe"  # stands for one whose plain form has several characters
_SEGMENT = re.compile(f"[^{_JOINED}]?{_JOINED}{{1,31}}|{_LONGER}")
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\uffa0\ufe00-\ufe0f\U000e0100-\U000e01ef"
    "\ufffe\uffff]"
)
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
_JAMO = re.compile("[\u1160-\u11ff]")  # vowels and final consonants: they join the one before
_CACHED = 1 << 16


@dataclass(frozen=True, slots=True)
class Plain:
    """The plain form of a text of N characters.

    Args:
        text: M characters.
        starts: Where in the original each of them begins (M,).
        ends: Where in the original each of them ends (M,).
    """

    text: str
    starts: Sequence[int]
    ends: Sequence[int]

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The original's stretch of the plain form's characters from ``start`` to ``end``."""
        return self.starts[start], self.ends[end - 1]


def plain(text: str) -> Plain:
    """The text's plain form."""
    if text.isascii() and not _CONTROL.search(text):
        return Plain(text, range(len(text)), range(1, len(text) + 1))
    marked = text.translate(_FOLDED)
    if _JOINED not in marked and _LONGER not in marked:
        return Plain(marked, range(len(text)), range(1, len(text) + 1))
    parts: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    done = 0
    for match in _SEGMENT.finditer(marked):
        start, end = match.span()
        segment = _segment(text[start:end])
        if done < start:
            parts.append(marked[done:start])
            starts.extend(range(done, start))
            ends.extend(range(done + 1, start + 1))
        for character in segment:
            parts.append(character)
            starts.append(start)
            ends.append(end)
        done = end
    parts.append(marked[done:])
    starts += range(done, len(text))
    ends += range(done + 1, len(text) + 1)
    return Plain("".join(parts), starts, ends)


@lru_cache(4096)
def _segment(text: str) -> str:
    """The plain form of one segment."""
    seen = "".join(character for character in text if not _is_invisible(character))
    composed = "".join(_fold(character) for character in unicodedata.normalize("NFKC", seen))
    if composed[:1].isascii() or unicodedata.category(composed[0])[0] == "M":
        return "".join(c for c in composed if unicodedata.category(c)[0] != "M")
    return composed


def _fold(character: str) -> str:
    """One character of NFKC text with digits, dashes and blanks made ASCII."""
    category = unicodedata.category(character)
    if category == "Nd":
        return str(unicodedata.decimal(character))
    if category == "Pd" or character == "\N{MINUS SIGN}":
        return "-"
    if category == "Zs":
        return " "
    return "\n" if character in "\x85\u2028\u2029" else character


def _is_invisible(character: str) -> bool:
    """Whether it is a format or control character that takes no room."""
    category = unicodedata.category(character)
    control = category == "Cc" and character not in "\t\n\v\f\r\x85"
    return control or category == "Cf" or _INVISIBLE.match(character) is not None


class _Fold(dict[int, str]):
    """Plain forms of single characters, made when first asked for, for ``str.translate``."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        normal = unicodedata.normalize("NFKC", character)
        joins = unicodedata.category(normal[0])[0] == "M" or _JAMO.match(normal)
        if _is_invisible(character) or joins:
            folded = _JOINED
        else:
            folded = _fold(normal) if len(normal) == 1 else _LONGER
        if len(self) < _CACHED:
            self[code] = folded
        return folded


_FOLDED = _Fold()
