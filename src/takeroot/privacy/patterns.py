"""Personal data told by its form and, where there is one, its check digit.

Each pattern takes time linear in the text: every run is bounded, and a match may begin only where
the character before cannot belong to it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from ipaddress import AddressValueError, IPv6Address

_OCTET = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
_RESIDENT_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CARD_PREFIXES = (  # first digits from, to, allowed lengths
    ("4", "4", (13, 16, 19)),
    ("51", "55", (16,)),
    ("2221", "2720", (16,)),
    ("34", "34", (15,)),
    ("37", "37", (15,)),
    ("300", "305", (14,)),
    ("36", "36", (14,)),
    ("38", "39", (14,)),
    ("3528", "3589", (16,)),
    ("6011", "6011", (16, 19)),
    ("62", "62", (16, 17, 18, 19)),
    ("644", "659", (16, 19)),
)


@dataclass(frozen=True)
class Recogniser:
    """One kind of personal data.

    Args:
        pattern: What it looks like.
        check: Whether a matched text is really one.
    """

    pattern: re.Pattern[str]
    check: Callable[[str], bool] = bool


def is_card(text: str) -> bool:
    """Whether the digits are a payment card number: issuer's prefix, length and Luhn check digit.

    Luhn (US patent 2,950,048; ISO/IEC 7812-1): every second digit from the right is doubled, its
    digits are summed, and the total is a multiple of ten.
    """
    digits = re.sub(r"\D", "", text)
    fits = any(
        low <= digits[: len(low)] <= high and len(digits) in lengths
        for low, high, lengths in _CARD_PREFIXES
    )
    doubled = (sum(divmod(int(d) * (1 + place % 2), 10)) for place, d in enumerate(digits[::-1]))
    return fits and sum(doubled) % 10 == 0


def is_resident_id(text: str) -> bool:
    """Whether it is a Chinese resident identity number (GB 11643-1999).

    Six digits of region, a date of birth, three digits, and the ISO 7064 MOD 11-2 check character.
    """
    try:
        born = date(int(text[6:10]), int(text[10:12]), int(text[12:14]))
    except ValueError:
        return False
    total = sum(w * int(d) for w, d in zip(_RESIDENT_WEIGHTS, text[:17], strict=True))
    return born.year >= 1900 and "10X98765432"[total % 11] == text[17].upper()


def is_ipv6(text: str) -> bool:
    """Whether it is an IPv6 address that names a host, written with two colons or more."""
    try:
        return IPv6Address(text).packed[:2] != b"\0\0"
    except AddressValueError:
        return False


def is_phone(text: str) -> bool:
    """Whether the number of digits is one a telephone number can have (E.164: at most 15)."""
    return 7 <= sum(character.isdigit() for character in text) <= 15


EMAIL = Recogniser(
    re.compile(
        r"(?<![\w.+%-])[A-Za-z0-9_.+%-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}(?![\w-])",
        re.ASCII,
    )
)
RESIDENT_ID_CN = Recogniser(
    re.compile(r"(?<![0-9A-Za-z])[1-8]\d{16}[\dXx](?![0-9A-Za-z])", re.ASCII), is_resident_id
)
CARD = Recogniser(re.compile(r"(?<![\d.])\d(?:[ -]?\d){12,18}(?!\d)", re.ASCII), is_card)
MOBILE_CN = Recogniser(
    re.compile(r"(?<![\d+])(?:\+?86[ -]?)?1[3-9]\d[ -]?\d{4}[ -]?\d{4}(?!\d)", re.ASCII)
)
PHONE = Recogniser(
    re.compile(
        r"(?<![\w.])(?:\+\d[\d ().-]{6,20}\d"  # international
        r"|\(\d{3}\) ?\d{3}[ .-]\d{4}|\d{3}[.-]\d{3}[.-]\d{4}"  # North America
        r"|0\d{2,3}-\d{7,8})(?!\w)",  # Chinese land line
        re.ASCII,
    ),
    is_phone,
)
IPV4 = Recogniser(re.compile(rf"(?<![\w.]){_OCTET}(?:\.{_OCTET}){{3}}(?![\w.]*\d)", re.ASCII))
IPV6 = Recogniser(re.compile(r"(?<![\w:.])[0-9A-Fa-f:]{6,39}(?![\w:])", re.ASCII), is_ipv6)

# Where two match the same characters, the one that stands first is right.
RECOGNISERS: dict[str, Recogniser] = {
    "email": EMAIL,
    "resident_id_cn": RESIDENT_ID_CN,
    "card": CARD,
    "mobile_cn": MOBILE_CN,
    "phone": PHONE,
    "ipv4": IPV4,
    "ipv6": IPV6,
}
