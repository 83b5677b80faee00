"""The formats in which items are written, and sentences around them."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from personal.items import Item

Writing = tuple[str, str, str]  # what stands before, the item, what stands after
SENTENCES = (
    "please note {} for later",
    "It is {}.",
    "{}",
    "客户说：{}，请核对。",
    "(see also: {}) thanks",
    "A: {}; B: none",
)
CHINESE = ("请记下{}谢谢", "我的是{}别忘了", "资料{}已登记", "就是{}。")


def write(item: Item, form: str, rng: Random) -> tuple[str, int, int]:
    """A sentence that holds the item in this format, and where in it the item begins and ends."""
    before, core, after = WRITERS[form](item, rng)
    sentence = rng.choice(CHINESE if form == "in Chinese" else SENTENCES)
    start = sentence.index("{}") + len(before)
    return sentence.format(before + core + after), start, start + len(core)


def _spaces(item: Item, rng: Random) -> Writing:
    """Between the groups; where there is one group, around the item."""
    return " ", " ".join((item.country, *item.groups)).strip(), " "


def _dashes(item: Item, rng: Random) -> Writing:
    """Between the groups; where there is one group, around the item."""
    if len(item.groups) == 1:
        return " - ", item.plain, " - "
    return "", "-".join((item.country, *item.groups)).strip("-"), ""


def _full_width(item: Item, rng: Random) -> Writing:
    return "", item.plain.translate({code: code + 0xFEE0 for code in range(0x21, 0x7F)}), ""


def _zero_width(item: Item, rng: Random) -> Writing:
    text = list(item.plain)
    for _ in range(rng.randrange(1, 4)):
        text.insert(rng.randrange(1, len(text)), rng.choice("\u200b\u200c\u200d\u2060\ufeff\xad"))
    return "", "".join(text), ""


def _country(item: Item, rng: Random) -> Writing:
    """With the country code where the kind has one, else after a label and a colon."""
    if item.kind == "mobile_cn":
        return "", rng.choice(["+86", "+86 ", "+86-", "0086", "(+86)", "86 "]) + item.plain, ""
    if item.kind == "landline_cn":
        return "", rng.choice(["+86 ", "+86-"]) + item.plain.removeprefix("0"), ""
    return "" if item.kind == "phone" else "No:", item.plain, ""


def _parentheses(item: Item, rng: Random) -> Writing:
    """Around the area code where there is one, else around the item."""
    if item.kind == "landline_cn":
        return "", f"({item.groups[0]}){item.groups[1]}", ""
    if item.country == "+1":
        return "", f"({item.groups[0]}) {'-'.join(item.groups[1:])}", ""
    if item.kind == "phone":
        return "", f"{item.country} ({item.groups[0]}) {' '.join(item.groups[1:])}", ""
    opening, closing = rng.choice(["()", "（）", "[]"])
    return opening, item.plain, closing


def _plain(item: Item, rng: Random) -> Writing:
    return "", item.plain, ""


def _line_break(item: Item, rng: Random) -> Writing:
    """Between two groups; where there is one group, around the item."""
    if len(item.groups) == 1:
        return "\n", item.plain, "\n"
    place = rng.randrange(1, len(item.groups))
    start, end = (item.joint.join(part) for part in (item.groups[:place], item.groups[place:]))
    return "", item.country + start + rng.choice(["\n", "\r\n"]) + end, ""


WRITERS: dict[str, Callable[[Item, Random], Writing]] = {
    "spaces": _spaces,
    "dashes": _dashes,
    "full width": _full_width,
    "zero width": _zero_width,
    "+86": _country,
    "parentheses": _parentheses,
    "in Chinese": _plain,
    "line break": _line_break,
}
