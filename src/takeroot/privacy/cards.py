"""Payment card numbers: issuer's prefix, its lengths, and the Luhn check digit.

A number may begin at each group of a row of digits, so that candidates overlap. A row is therefore
read once, and the check digit of any stretch of it told from running sums: every second digit from
the right is doubled, its digits are summed, and the total is a multiple of ten (US 2,950,048;
ISO/IEC 7812-1). Cost: linear; at most six groups are looked at from each.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import accumulate

from takeroot.privacy.numbers import GAP, NO_CODE
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
_START = re.compile(rf"[2-68](?<!\d.)(?=\d{{3}}[\d\r\n -]{{9}}){NO_CODE}", re.ASCII)
_ROW = re.compile(rf"\d++(?:{GAP}\d++)*+", re.ASCII)
_DIGITS = re.compile("[0-9]+")
_SINGLE = re.compile(  # each digit alone, and no more of them beside
    rf"[2-68](?<!\d.)(?<!\d[ -].)(?=[ -]\d){NO_CODE}(?:[ -]\d){{12,18}}(?![ -]?\d)", re.ASCII
)


class Cards:
    """A recogniser of payment card numbers.

    The first group has four digits or more, the others three or more but for the last; or each has
    one digit.
    """

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Where numbers stand, in order; one of single digits may begin within another."""
        return sorted((*_in_groups(text), *_in_single_digits(text)))

    def value(self, piece: str) -> str:
        """The digits of a number."""
        return letters_and_digits(piece)


def _in_groups(text: str) -> Iterator[tuple[int, int]]:
    """Where numbers written in groups stand."""
    at = 0
    while (start := _START.search(text, at)) is not None:
        row = _ROW.match(text, start.start())
        assert row is not None  # it begins with a digit
        at = row.end()
        groups = row.group().replace("-", " ").split()
        ends = list(accumulate(map(len, groups)))
        if ends[-1] >= _SHORTEST:
            places: list[tuple[int, int]] | None = None
            for first, last in _cards("".join(groups), ends):
                places = places or [each.span() for each in _DIGITS.finditer(text, *row.span())]
                yield places[first][0], places[last][1]


def _cards(digits: str, ends: list[int]) -> Iterator[tuple[int, int]]:
    """First and last group of each number in a row of groups.

    Args:
        digits: All of them.
        ends: How many digits there are up to the end of each group.
    """
    sums = _running_sums(digits)
    free = begin = 0
    for place, stop in enumerate(ends):
        if 4 <= stop - begin <= _LONGEST and place >= free:
            lengths = _lengths(digits[begin : begin + 4])
            last = _last_group(ends, place, begin, lengths, sums) if lengths else None
            if last is not None:
                yield place, last
                free = last + 1
        begin = stop


def _last_group(
    ends: list[int], place: int, begin: int, lengths: tuple[int, ...], sums: list[list[int]]
) -> int | None:
    """The last group of the longest number that begins with this one; None if none does.

    Args:
        ends: As above.
        place: Which group.
        begin: How many digits are before it.
        lengths: What is allowed.
        sums: See ``_running_sums``.
    """
    found, before = None, begin
    for last, stop in enumerate(ends[place : place + _MOST_GROUPS], place):
        size, before = stop - before, stop
        if last > place and size > 15:
            break
        running = sums[stop % 2]
        if stop - begin in lengths and (running[stop] - running[begin]) % 10 == 0:
            found = last
        if size < 3 or stop - begin >= _LONGEST:
            break
    return found


def _in_single_digits(text: str) -> Iterator[tuple[int, int]]:
    """Where numbers stand of which each digit stands alone."""
    for row in _SINGLE.finditer(text):
        digits = row.group()[::2]
        for length in _lengths(digits[:4])[::-1]:
            sums = _running_sums(digits[:length])[length % 2]
            if length <= len(digits) and sums[-1] % 10 == 0:
                yield row.start(), row.start() + 2 * length - 1
                break


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
