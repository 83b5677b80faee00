"""Order numbers, times, prices and the like, which must be let through."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random

from personal.items import card, credit_code, cut, digits, iban, luhn, mod_11_2, one_of, resident
from personal.writings import CHINESE, SENTENCES


def moment(rng: Random) -> datetime:
    return datetime(2015, 1, 1) + timedelta(seconds=rng.randrange(400_000_000))


def order_number(rng: Random) -> str:
    return rng.choice(
        [
            f"{moment(rng):%Y%m%d}{digits(rng, rng.choice([6, 8, 10, 12, 16, 20]))}",
            f"{moment(rng):%y%m%d}-{digits(rng, 7)}-{digits(rng, 7)}",
            f"{digits(rng, 3)}-{digits(rng, 7)}-{digits(rng, 7)}",
            f"SO{digits(rng, rng.randrange(6, 15))}",
            f"ORD-{moment(rng):%Y}-{digits(rng, 6)}",
            f"#{digits(rng, rng.randrange(4, 9))}",
            f"SF{digits(rng, 13)}",
            f"1Z{digits(rng, 3)}AA1{digits(rng, 10)}",
            digits(rng, rng.randrange(6, 10)).zfill(12),
        ]
    )


def timestamp(rng: Random) -> str:
    then = moment(rng)
    return rng.choice(
        [
            str(int(then.timestamp())),
            str(int(then.timestamp() * 1000)),
            str(int(then.timestamp() * 1_000_000)),
            f"{then:%Y-%m-%d %H:%M:%S}",
            f"{then:%Y-%m-%dT%H:%M:%S}.{digits(rng, 6)}+08:00",
            f"{then:%Y%m%d%H%M%S}{digits(rng, rng.choice([0, 3]))}",
            f"{then:%d.%m.%Y %H:%M}",
            f"{then:%m/%d/%Y}",
            f"{then:%Y年%m月%d日%H时%M分}",
            f"{then:%H:%M:%S}:{rng.randrange(25)}",
        ]
    )


def price(rng: Random) -> str:
    amount = rng.randrange(10**9) / 100
    sign = rng.choice("$€£¥￥")
    return rng.choice(
        [
            f"{sign}{amount:,.2f}",
            f"{amount:.2f}元",
            f"{sign}{amount:.0f}",
            f"{amount:,.2f} EUR",
            f"{amount:.8f}",
            f"{sign}{amount:,.0f}".replace(",", " "),
            f"+{amount:.2f}%",
            f"{rng.random():.16f}",
        ]
    )


def ticker(rng: Random) -> str:
    return rng.choice(
        [
            f"{digits(rng, 6)}.{rng.choice(['SH', 'SZ'])}",
            f"0{digits(rng, 4)}.HK",
            f"AAPL {rng.randrange(100, 300)}.{digits(rng, 2)}",
            f"BTC-USD {digits(rng, 5)}.{digits(rng, 4)}",
            f"ES{digits(rng, 4)}",
            f"US{digits(rng, 9)}{rng.randrange(10)}",
            f"{digits(rng, 6)}涨{rng.random() * 10:.2f}%",
        ]
    )


def version(rng: Random) -> str:
    parts = [str(rng.randrange(30)) for _ in range(4)]
    return rng.choice(
        [
            "v" + ".".join(parts),
            f"version {'.'.join(parts)}",
            f"版本{'.'.join(parts)}",
            f"Chrome/{rng.randrange(60, 140)}.0.{rng.randrange(1000, 7000)}.{rng.randrange(200)}",
            f"react@{'.'.join(parts[:3])}",
            f"10.0.{rng.randrange(10000, 30000)}.{rng.randrange(4000)}",
            ".".join(parts[:3]),
            f"std::{one_of(rng, 'vector string dec')}",
        ]
    )


def code(rng: Random) -> str:
    text = "".join(rng.choices("0123456789abcdef", k=40))
    return rng.choice(
        [
            text,
            text[:32],
            text[:12],
            "-".join(cut(text[:32], 8, 12, 16, 20)),
            ":".join(cut(text[:12], 2, 4, 6, 8, 10)),
            f"978-7-{digits(rng, 4)}-{digits(rng, 4)}-{digits(rng, 1)}",
            f"39.{digits(rng, 6)},116.{digits(rng, 6)}",
            f"@user{digits(rng, 4)}",
            f"a@b{digits(rng, 3)}",
            " ".join(str(rng.randrange(1, 36)) for _ in range(7)),
            f"{digits(rng, 2)}:{digits(rng, 2)}",
            f"新{rng.choice('ABC')}{rng.randrange(10)}型",
        ]
    )


def wrong(rng: Random) -> str:
    """An item with a check digit, one of its digits changed."""
    text = rng.choice([card, resident, credit_code, iban])(rng).plain
    place = rng.choice([i for i, c in enumerate(text) if i > 3 and c.isdigit()])
    return text[:place] + str((int(text[place]) + rng.randrange(1, 9)) % 10) + text[place + 1 :]


def lucky(rng: Random) -> str:
    """Digits whose check digit is right, but of no issuer, region or date."""
    if rng.random() < 0.5:
        return luhn(rng.choice("179") + digits(rng, rng.randrange(14, 18)))
    return mod_11_2(digits(rng, 6) + rng.choice("345679") + digits(rng, 10))


def any_digits(rng: Random) -> str:
    """Random digits, but not those that are a mobile number whatever they were meant for."""
    text = digits(rng, rng.randrange(5, 25))
    return any_digits(rng) if len(text) == 11 and "13" <= text[:2] <= "19" else text


LOOK_ALIKES: tuple[Callable[[Random], str], ...] = (
    *(order_number, timestamp, price, ticker, version),
    *(code, wrong, lucky, any_digits),
)


def look_alikes(rng: Random, count: int) -> list[tuple[str, str]]:
    """As many sentences, of each sort in turn, with the sort's name."""
    makers = [LOOK_ALIKES[place % len(LOOK_ALIKES)] for place in range(count)]
    sentences = (*SENTENCES, *CHINESE)
    return [(make.__name__, rng.choice(sentences).format(make(rng))) for make in makers]
