"""Payment card numbers: issuer's prefix, its lengths, and the Luhn check digit.

A number may begin at each group of a row of digits, so that candidates overlap. A row is therefore
read once, and the check digit of any stretch of it told from running sums: every second digit from
the right is doubled, its digits are summed, and the total is a multiple of ten (US 2,950,048;
ISO/IEC 7812-1). Cost: linear; at most six groups are looked at from each.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

from takeroot.privacy.numbers import GAP, NO_CODE, apart
from takeroot.privacy.recogniser import letters_and_digits

_PREFIXES = (  # first digits from, to, allowed lengths
    ("4", "4", (13, 16, 19)),  # Visa
    ("51", "55", (16,)),  # Mastercard
    ("2221", "2720", (16,)),
    ("34", "34", (15,)),  # American Express
    ("37", "37", (15,)),
    ("300", "305", (14, 16)),  # Diners Club
    ("3095", "3095", (14, 16)),
    ("36", "36", (14, 16)),
    ("38", "39", (14, 16)),
    ("3528", "3589", (16, 19)),  # JCB
    ("6011", "6011", (16, 19)),  # Discover
    ("644", "659", (16, 19)),
    ("62", "62", (16, 17, 18, 19)),  # UnionPay
    ("81", "81", (16, 19)),
    ("2200", "2204", (16, 19)),  # Mir
    ("5018", "5018", (16, 19)),  # Maestro
    ("5020", "5020", (16, 19)),
    ("5038", "5038", (16, 19)),
    ("6304", "6304", (16, 19)),
    ("6759", "6759", (16, 19)),
    ("6761", "6763", (16, 19)),
)
_SHORTEST, _LONGEST = 13, 19  # digits
_MOST_GROUPS = 6
_VALUE = bytes.maketrans(b"0123456789", bytes(range(10)))
_TWICE = bytes.maketrans(b"0123456789", bytes((0, 2, 4, 6, 8, 1, 3, 5, 7, 9)))
_START = re.compile(rf"[2-68](?<!\d.)(?=[\d\r\n -]{{12}}){NO_CODE}", re.ASCII)
_GROUP = re.compile(rf"(\d+)({GAP}(?=\d))?", re.ASCII)
_SINGLE = re.compile(rf"[2-68]{apart('[2-68]', r'(?:[ -][0-9]){12,18}')}", re.ASCII)


class Cards:
    """A recogniser of payment card numbers.

    The groups have three digits or more but for the last, or one digit each.
    """

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Where numbers stand, in order, without overlap."""
        at = 0
        while (start := _START.search(text, at)) is not None:
            groups = _groups(text, start.start())
            at = groups[-1][1]
            digits = "".join([text[first:last] for first, last in groups])
            if len(digits) >= _SHORTEST:
                yield from _Row(text, digits, groups).cards()

    def value(self, piece: str) -> str:
        """The digits of a number."""
        return letters_and_digits(piece)


@dataclass(slots=True)
class _Row:
    """A row of groups of digits.

    Args:
        text: What it stands in.
        digits: All of them.
        groups: Start and end of each group.
    """

    text: str
    digits: str
    groups: list[tuple[int, int]]

    def cards(self) -> Iterator[tuple[int, int]]:
        """Start and end of the card numbers."""
        ends = list(accumulate(last - first for first, last in self.groups))
        sums = _running_sums(self.digits)
        place = 0
        while place < len(ends):
            last = self._last(place, ends, sums)
            if last is not None:
                yield self.groups[place][0], self.groups[last][1]
                place = last
            place += 1

    def _last(self, place: int, ends: list[int], sums: list[list[int]]) -> int | None:
        """The last group of the longest number that begins with this one; None if none does."""
        start, end = self.groups[place]
        begin, size = ends[place] - (end - start), end - start
        lengths = _lengths(self.digits[begin : begin + 4])
        most, least = _MOST_GROUPS, 3
        if lengths and size == 1:
            alone = _SINGLE.match(self.text, start)
            most, least = (0, 1) if alone is None else ((alone.end() - start + 1) // 2, 1)
        if not lengths or not least <= size <= 18:
            return None
        found = None
        for last in range(place, min(place + most, len(ends))):
            stop, (first, end) = ends[last], self.groups[last]
            size = end - first
            if last > place and size > 15:
                break
            total = sums[stop % 2][stop] - sums[stop % 2][begin]
            if stop - begin in lengths and total % 10 == 0:
                found = last
            if size < least or stop - begin >= _LONGEST:
                break
        return found


def _groups(text: str, start: int) -> list[tuple[int, int]]:
    """Start and end of each group of the row that begins there."""
    groups = []
    for match in _GROUP.finditer(text, start):
        groups.append(match.span(1))
        if match.lastindex == 1:
            break
    return groups


def _running_sums(digits: str) -> list[list[int]]:
    """Sums of the digits before each place: with those at even, and at odd places doubled."""
    codes = digits.encode()
    single, twice = codes.translate(_VALUE), codes.translate(_TWICE)
    sums = []
    for parity in (0, 1):
        values = bytearray(single)
        values[parity::2] = twice[parity::2]
        sums.append(list(accumulate(values, initial=0)))
    return sums


@lru_cache(10_000)
def _lengths(start: str) -> tuple[int, ...]:
    """The lengths of card numbers that begin with these four digits."""
    fitting = [row for row in _PREFIXES if row[0] <= start[: len(row[0])] <= row[1]]
    return tuple(sorted({length for row in fitting for length in row[2]}))
