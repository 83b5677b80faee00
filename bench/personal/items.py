"""Valid personal data of each kind, made from the standards and not with the recognisers."""

from __future__ import annotations

import re
import string
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from random import Random

CARDS = (  # issuer's prefix and number of digits
    *(("4", 13), ("4", 16), ("4", 19), ("53", 16), ("2500", 16), ("37", 15), ("36", 14)),
    *(("3530", 16), ("6011", 16), ("65", 16), ("62", 16), ("62", 17), ("62", 18), ("62", 19)),
)
IBANS = (  # the SWIFT registry's structures
    *(("DE", "18n"), ("GB", "4a 14n"), ("FR", "10n 11c 2n"), ("NL", "4a 10n"), ("ES", "20n")),
    *(("IT", "1a 10n 12c"), ("CH", "5n 12c"), ("PL", "24n"), ("SE", "20n"), ("NO", "11n")),
    *(("BE", "12n"), ("MT", "4a 5n 18c"), ("AE", "19n"), ("SA", "2n 18c"), ("PT", "21n")),
)
PHONES = (  # country code and groups of numbers in use; # is any digit
    *(("+1", "212", "5#5", "####"), ("+1", "415", "3#5", "####"), ("+1", "617", "8#5", "####")),
    *(("+44", "20", "7###", "####"), ("+49", "30", "2###", "####"), ("+852", "2345", "####")),
    *(("+65", "6222", "####"), ("+81", "90", "1###", "####"), ("+61", "412", "###", "###")),
    *(("+91", "98###", "#####"), ("+33", "1", "42", "##", "##", "##")),
)


@dataclass(frozen=True)
class Item:
    """A piece of personal data: its groups of characters, and how it is written plainly."""

    kind: str
    groups: tuple[str, ...]
    joint: str = ""
    country: str = ""

    @property
    def plain(self) -> str:
        """As it is written without anything between the groups, or with what belongs there."""
        return self.country + self.joint.join(self.groups)


def digits(rng: Random, count: int) -> str:
    return "".join(rng.choices(string.digits, k=count))


def one_of(rng: Random, text: str) -> str:
    return rng.choice(text.split())


def email(rng: Random) -> Item:
    first = one_of(rng, "ann li.wei o_neil zhang2020 j.r.smith a x-ray 12345678 sales+eu Maria")
    domain = one_of(rng, "example.com qq.com 163.com mail.example.co.uk sub-a.example.de a.io")
    return Item("email", (f"{first}{rng.randrange(1000)}@{domain}",))


def luhn(body: str) -> str:
    """The body with the digit that makes the textbook sum a multiple of ten."""
    total = 0
    for place, digit in enumerate(reversed(body)):
        value = int(digit) * (2 if place % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return body + str(-total % 10)


def card(rng: Random) -> Item:
    prefix, size = rng.choice(CARDS)
    text = luhn(prefix + digits(rng, size - len(prefix) - 1))
    cuts = {15: (4, 10), 14: (4, 10), 13: (4, 7, 10)}.get(size, (4, 8, 12, 16))
    return Item("card", cut(text, *cuts))


def cut(text: str, *places: int) -> tuple[str, ...]:
    """The text's parts between these places."""
    ends = (0, *places, len(text))
    return tuple(text[a:b] for a, b in pairwise(ends) if text[a:b])


def resident(rng: Random) -> Item:
    region = one_of(rng, "1101 1201 1302 2101 3101 3301 3505 4403 4201 5101 5001 6101 6501 8100")
    born = date(1930, 1, 1) + timedelta(days=rng.randrange(33_000))
    body = f"{region}{digits(rng, 2)}{born:%Y%m%d}{digits(rng, 3)}"
    return Item("resident_id_cn", cut(mod_11_2(body), 6, 14))


def mod_11_2(body: str) -> str:
    """The digits with their check character (ISO 7064), made digit by digit."""
    rest = 0
    for digit in body:
        rest = (rest + int(digit)) * 2 % 11
    return body + "0123456789X"[(12 - rest) % 11]


def credit_code(rng: Random) -> Item:
    alphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY"
    start = one_of(rng, "91 92 93 51 52 53 11 12 13 Y1")
    region = one_of(rng, "110000 310101 330100 440300 100000 510104")
    body = start + region + "".join(rng.choices(alphabet, k=9))
    weight, total = 1, 0
    for character in body:
        total += alphabet.index(character) * weight
        weight = weight * 3 % 31
    return Item("credit_code_cn", cut(body + alphabet[-total % 31], 8))


def iban(rng: Random) -> Item:
    """With the structure of the SWIFT registry: n digits, a capitals, c either."""
    country, form = rng.choice(IBANS)
    sets = {"n": string.digits, "a": string.ascii_uppercase, "c": string.digits + "ABCXYZ"}
    body = "".join("".join(rng.choices(sets[f[-1]], k=int(f[:-1]))) for f in form.split())
    rest = 0
    for character in body + country + "00":
        for digit in str(int(character, 36)):
            rest = (rest * 10 + int(digit)) % 97
    text = f"{country}{98 - rest:02d}{body}"
    return Item("iban", cut(text, *range(4, len(text), 4)))


def mobile(rng: Random) -> Item:
    return Item(
        "mobile_cn", (f"1{rng.choice('3456789')}{digits(rng, 1)}", digits(rng, 4), digits(rng, 4))
    )


def landline(rng: Random) -> Item:
    area = one_of(rng, "010 021 020 028 0755 0571 0512 0311 0891 0991")
    size = 4 if len(area) == 3 else 3
    local = rng.choice("2345678") + digits(rng, size - 1)
    return Item("landline_cn", (area, local + digits(rng, 4)), joint="-")


def phone(rng: Random) -> Item:
    """Of one of the PHONES."""
    code, *groups = rng.choice(PHONES)
    return Item("phone", tuple(fill(rng, group) for group in groups), country=code)


def fill(rng: Random, form: str) -> str:
    """The form with a digit for each #."""
    return re.sub("#", lambda _: digits(rng, 1), form)


def passport(rng: Random) -> Item:
    letter = one_of(rng, "E G")
    if rng.random() < 0.4:
        return Item("passport", ("E" + rng.choice("ABCDEFGHJKLMNPQ"), digits(rng, 7)))
    return Item("passport", (letter, digits(rng, 4), digits(rng, 4)))


def plate(rng: Random) -> Item:
    """GA 36-2018: five characters with up to two letters, or six for new energy."""
    letters = "ABCDEFGHJKLMNPQRSTUVWXYZ"
    number = list(digits(rng, 5))
    for place in rng.sample(range(5), rng.randrange(3)):
        number[place] = rng.choice(letters)
    text = "".join(number)
    if rng.random() < 0.3:
        text = rng.choice("DF") + rng.choice(letters + string.digits) + digits(rng, 4)
    return Item(
        "plate_cn", (rng.choice("京津沪冀豫云辽湘皖鲁苏浙赣鄂粤川") + rng.choice(letters), text)
    )


def ipv4(rng: Random) -> Item:
    return Item("ipv4", (".".join(str(rng.randrange(1, 255)) for _ in range(4)),))


def ipv6(rng: Random) -> Item:
    words = [f"{rng.randrange(0x1000, 0xFFFF):x}" for _ in range(7)]
    if rng.random() < 0.5:
        return Item("ipv6", (f"2001:db8::{words[0]}:{words[1]}",))
    return Item("ipv6", ("2a01:" + ":".join(words),))


def name(rng: Random) -> Item:
    if rng.random() < 0.5:
        given = "".join(rng.choices("伟芳娜敏静磊军洋勇艳杰娟涛明超", k=rng.randrange(1, 3)))
        return Item("name", (rng.choice("王李张刘陈杨赵黄周吴徐孙胡朱高") + given,))
    first = one_of(rng, "Anna José Zoë Ivan Olga Peter Søren Marie Łukasz Nina")
    return Item(
        "name", (first, one_of(rng, "Schmidt Müller O'Brien Ivanova Nguyen Åberg Lee")), joint=" "
    )


MAKERS: tuple[Callable[[Random], Item], ...] = (
    *(email, iban, resident, credit_code, card, mobile, landline),
    *(phone, passport, plate, ipv6, ipv4, name),
)


def items(rng: Random, count: int) -> list[Item]:
    """As many items, of each kind in turn."""
    return [MAKERS[place % len(MAKERS)](rng) for place in range(count)]
