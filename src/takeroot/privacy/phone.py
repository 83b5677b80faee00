"""Telephone numbers of the world, told by the numbering plans in libphonenumber's data.

The library decides whether digits are a number that a country gives out; where a candidate begins
and ends is decided here, because its own search through a text takes far more than linear time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from takeroot.errors import RecipeError, require
from takeroot.privacy.recogniser import Form

REGIONS = ("CN", "US", "GB")
_CHECKED = 200  # candidates of one text that are looked up; beyond, the form alone decides
_DIGIT = re.compile("[0-9]")
_GROUP_END = re.compile(r"\d(?!\d)")
_WITH_COUNTRY = re.compile(  # but not +1234567.89
    r"[+0](?:(?<=\+)(?<!\+.) ?|(?<=0)(?<![\d.].)0[ -]?)"
    r"(?!\d{1,12}\.\d{1,2}(?![ .-]?\d))\(?[1-9](?:[ ().\r\n-]{0,3}\d){6,16}(?!\d)",
    re.ASCII,
)
_AMERICAN = re.compile(
    r"[(1-9](?:(?<=\()|(?<![\d.+(-].))(?:(?:(?<=1)[ .-])?(?:(?<=\()|(?<=[ .-])\()[2-9]\d\d\)[ .-]?"
    r"|(?:(?<=1)[ .-][2-9]|(?<=[2-9]))\d\d[ .-])\d{3}[ .-]\d{4}(?!\d|[-.]\d)",
    re.ASCII,
)
_AFTER_ZERO = re.compile(
    r"[(0](?:(?<=\()0\d{1,4}\) ?|(?<=0)(?<![\d.+(-].)\d{1,4}[ -])"
    r"\d{2,8}(?:[ -]\d{2,6}){0,3}(?!\d|[-.]\d)",
    re.ASCII,
)
_CALLED = re.compile(  # a word that says what follows, then digits in any groups
    r"[TtPpMmCcFfWw电手座传致](?:(?<=[Tt])el|(?<=[Pp])hone|(?<=[Mm])obile|(?<=[Cc])(?:ell|all)"
    r"|(?<=[Ff])ax|(?<=[Ww])hats[Aa]pp|(?<=电)话|(?<=手)机|(?<=座)机|(?<=传)真|(?<=致)电)"
    r"(?:号码?|是|为|[ :.#])?[ :]{0,2}(\(?\d(?:[ .()-]{0,2}\d){6,13})(?!\d|\.\d)",
    re.ASCII,
)
_LOCAL_CN = re.compile(r"(?!20[0-4]\d[01]\d)[2-8]\d{2,3}[ -]?\d{4}")  # but no date such as 20240501


class PhoneNumbers:
    """A recogniser of telephone numbers.

    A number with its country code may be of any country. Without, it is found where it is written
    as the numbers of one of ``regions`` are, or follows a word such as "phone" or 电话.

    Args:
        regions: ISO 3166 codes of countries.

    Raises:
        MissingExtraError: If phonenumbers is not installed.
        RecipeError: If a region is unknown.
    """

    def __init__(self, regions: Sequence[str] = REGIONS) -> None:
        self._library: Any = require("phonenumbers", "serve")
        unknown = sorted(set(regions) - set(self._library.SUPPORTED_REGIONS))
        if unknown:
            raise RecipeError(
                f"mask.regions: {unknown[0]!r} is no country that has numbers; "
                "give ISO 3166 codes such as CN or US"
            )
        american = {r for r in regions if self._library.country_code_for_region(r) == 1}
        self._american = tuple(region for region in regions if region in american)
        self._others = tuple(region for region in regions if region not in american)

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Where numbers stand."""
        if _DIGIT.search(text) is None:
            return []
        written, called = self._fit(self._is_written), self._fit(self._is_called)
        spans = [
            *Form(_WITH_COUNTRY, written).spans(text),
            *Form(_AMERICAN, written).spans(text),
            *Form(_AFTER_ZERO, written).spans(text),
            *Form(_CALLED, called).spans(text),
        ]
        return sorted(spans)

    def value(self, piece: str) -> str:
        """The number with its country code (E.164), or its digits if no country is known."""
        number = self._number(piece, (*self._likely(piece), *self._american, *self._others))
        if number is None:
            return re.sub(r"\D", "", piece)
        return str(self._library.format_number(number, self._library.PhoneNumberFormat.E164))

    def _fit(self, check: Callable[[str], bool]) -> Callable[[str], int]:
        """How much of a candidate is a number, for the candidates of one text.

        Other digits may follow a number, so the last groups are left out one by one.
        """
        left = iter(range(_CHECKED))

        def fit(piece: str) -> int:
            if next(left, None) is None:
                return len(piece)
            ends = [match.end() for match in _GROUP_END.finditer(piece)]
            return next((end for end in ends[:-6:-1] if check(piece[:end])), 0)

        return fit

    def _is_written(self, piece: str) -> bool:
        """Whether it is a number with its country code, or as a region writes it."""
        return self._number(piece, self._likely(piece)) is not None

    def _is_called(self, piece: str) -> bool:
        """Whether it is a number of one of the regions, or a local one in China."""
        local = "CN" in self._others and _LOCAL_CN.fullmatch(piece) is not None
        return local or self._number(piece, (*self._american, *self._others)) is not None

    def _likely(self, piece: str) -> tuple[str, ...]:
        """The regions that write numbers so: those of North America have no 0 before them."""
        return self._others if piece.lstrip("(").startswith("0") else self._american

    def _number(self, piece: str, regions: Sequence[str]) -> Any:
        """The library's form of a number in use; None if it is none."""
        written = re.sub(r"\s+", " ", re.sub(r"^00[ -]?", "+", piece))
        for region in (None,) if written.startswith("+") else regions:
            try:
                number = self._library.parse(written, region)
            except self._library.NumberParseException:
                continue
            if self._library.is_valid_number(number):
                return number
        return None
