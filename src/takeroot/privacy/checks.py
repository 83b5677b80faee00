"""Check digits and what else numbers of personal data must satisfy.

Digits that pass a check by chance are common: one in ten passes Luhn, one in eleven MOD 11-2. So
nothing is told by a check digit alone: the issuer's prefix, the province or the date must fit too.
"""

from __future__ import annotations

import re
import socket
from datetime import date
from itertools import accumulate
from operator import mul

_RESIDENT_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CREDIT_VALUES = bytes.maketrans(b"0123456789ABCDEFGHJKLMNPQRTUWXY", bytes(range(31)))
_CREDIT_WEIGHTS = (*(pow(3, place, 31) for place in range(17)), 1)
_ZERO = ord("0")
_REGISTER_CODES = (  # who registered it, and what it is
    "11 12 13 19 21 29 31 32 33 34 35 39 41 49 51 52 53 59 61 62 69 71 72 79 81 89 91 92 93 99 "
    "A1 A9 N1 N2 N3 N9 Y1"
)
_PROVINCE_CODES = (
    "11 12 13 14 15 21 22 23 31 32 33 34 35 36 37 41 42 43 44 45 46 50 51 52 53 54 61 62 63 64 65 "
    "71 81 82 83"
)
_REGISTERS = frozenset(_REGISTER_CODES.split())
_PROVINCES = frozenset(_PROVINCE_CODES.split())
_BASE_36 = {ord(c): str(int(c, 36)) for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
_IBANS = (  # country and number of characters, from the SWIFT registry
    "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 "
    "DK18 DO28 EE20 EG29 ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 "
    "IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 "
    "MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 "
    "SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30"
)
_IBAN_LENGTHS = {entry[:2]: int(entry[2:]) for entry in _IBANS.split()}
_OCTETS = frozenset(str(number) for number in range(256))
_NUMBERED = ("v", "ver", "version", "release", "build", "firmware", "section", "chapter")
_NUMBERED_CN = ("版本", "版本号", "固件", "章", "节")
_MAY_NUMBER = (*_NUMBERED, "/")
_NUMBERING = re.compile(rf"(?<![a-z])(?:{'|'.join(_NUMBERED)})$|[a-z]/$")


def _groups(piece: str) -> list[str]:
    """The groups of a number."""
    return piece.replace("-", " ").split()


def is_resident_id(piece: str) -> bool:
    """Whether it is a Chinese resident identity number (GB 11643-1999).

    Six digits of region, a date of birth, three digits, and the ISO 7064 MOD 11-2 check character.
    The number of a foreigner's permanent residence card begins with 9, and the province follows.
    """
    text = "".join(_groups(piece)).upper()
    if text[:2] not in _PROVINCES and (text[0] != "9" or text[1:3] not in _PROVINCES):
        return False
    total = sum(map(mul, text[:17].encode(), _RESIDENT_WEIGHTS)) - _ZERO * sum(_RESIDENT_WEIGHTS)
    if "10X98765432"[total % 11] != text[17]:
        return False
    try:
        date(int(text[6:10]), int(text[10:12]), int(text[12:14]))
    except ValueError:
        return False
    return True


def is_credit_code(piece: str) -> bool:
    """Whether it is a Chinese unified social credit code (GB 32100-2015).

    Two characters of register, the code of a region or 100000, nine characters, and the check
    character: with the values c_i of all before it, 31 - sum(c_i * 3^i) mod 31.
    """
    text = "".join(_groups(piece)).upper()
    if text[:2] not in _REGISTERS or (text[2:4] not in _PROVINCES and text[2:8] != "100000"):
        return False
    total: int = sum(map(mul, text.encode().translate(_CREDIT_VALUES), _CREDIT_WEIGHTS))
    return total % 31 == 0


def iban_fit(piece: str) -> int:
    """How much of the candidate is an IBAN: the country says how long it is.

    The check digits make the number, its first four characters last and letters as 10 to 35, leave
    1 when divided by 97 (ISO 13616; ISO 7064 MOD 97-10).
    """
    length = _IBAN_LENGTHS.get(piece[:2].upper(), 0)
    groups = _groups(piece)
    if length not in accumulate(map(len, groups)):
        return 0
    text = "".join(groups).upper()
    if int((text[4:length] + text[:4]).translate(_BASE_36)) % 97 != 1:
        return 0
    return [place for place, character in enumerate(piece, 1) if character.isalnum()][length - 1]


def is_ipv4(piece: str) -> bool:
    """Whether it is an IPv4 address, its numbers written without zeros before them."""
    return _OCTETS.issuperset(piece.split("."))


def is_numbering(before: str) -> bool:
    """Whether the text before four numbers says that they number a version or a section."""
    before = before.rstrip(" :.").lower()
    if before.endswith(_NUMBERED_CN):
        return True
    return before.endswith(_MAY_NUMBER) and _NUMBERING.search(before) is not None


def is_ipv6(piece: str) -> bool:
    """Whether it is an IPv6 address with a digit, and not one that begins with 0, such as ::1."""
    if piece.startswith("::") or re.search(r"\d", piece) is None:
        return False
    try:
        return socket.inet_pton(socket.AF_INET6, piece)[:2] != b"\0\0"
    except OSError:
        return False


def is_phone(piece: str) -> bool:
    """Whether the number of digits is one a telephone number can have (E.164: at most 15)."""
    return 7 <= sum(character.isdigit() for character in piece) <= 15


def is_plate(piece: str) -> bool:
    """Whether it has the digits a Chinese licence plate has: at most two letters in the number."""
    return sum(character.isdigit() for character in piece) >= 3
