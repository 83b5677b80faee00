"""Card numbers in rows of digits, against python-stdnum and one number at a time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum import luhn

from takeroot.privacy.cards import Cards

VISA, AMEX = "4111 1111 1111 1111", "3782 822463 10005"


def found(text):
    return [text[start:end] for start, end in Cards().spans(text)]


@given(st.from_regex(r"4[0-9]{15}", fullmatch=True))
def test_luhn_agrees_with_the_reference(digits):
    for number in (digits, digits[:13]):
        assert found(f"{number}, ") == ([number] if luhn.is_valid(number) else [])


@given(
    st.lists(st.sampled_from(["4111", "1111", "5105", "1051", "6011", "0009", "9903"]), max_size=12)
)
def test_a_row_is_read_as_one_number_after_the_other_would_be(groups):
    wanted, at = [], 0
    while at < len(groups):
        four = groups[at : at + 4]  # no card has 12 or 20 digits
        is_card = _is_card("".join(four))
        wanted += [" ".join(four)] * is_card
        at += 4 if is_card else 1

    assert found(" ".join(groups)) == wanted


def _is_card(digits):
    """Whether 16 digits are a card of an issuer that has such."""
    visa, mastercard = digits[:1] == "4", digits[:2] in ("51", "52", "53", "54", "55")
    discover = digits[:4] == "6011" or "644" <= digits[:3] <= "659"
    others = ("3528" <= digits[:4] <= "3589", digits[:2] in ("36", "38", "39", "62"))
    diners = ("300" <= digits[:3] <= "305", digits[:4] == "3095")
    maestro = digits[:4] in ("5018", "5020", "5038", "6304", "6759", "6761", "6762", "6763")
    known = visa or mastercard or discover or any(others) or any(diners) or maestro
    return len(digits) == 16 and known and luhn.is_valid(digits)


@pytest.mark.parametrize("digits", ["1799273987130000", "79927398713", "411111111111111"])
def test_luhn_alone_makes_no_card(digits):
    assert found(digits) == []


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (VISA, [VISA]),
        (f"{VISA} 2026", [VISA]),
        (f"2026 {VISA}", [VISA]),
        (f"{VISA} {VISA}", [VISA, VISA]),
        (f"{VISA} {AMEX} {VISA}", [VISA, AMEX, VISA]),
        ("4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1", ["4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1"]),
        ("9 4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1", []),
        ("41 11 11 11 11 11 11 11", []),
        ("411 1111 1111 1111 11", []),
        ("4111 1111 1111 11 11", []),
        ("4111\r\n1111-1111 - 1111", ["4111\r\n1111-1111 - 1111"]),
        ("4111   1111 1111 1111", []),
        ("A4111111111111111", []),
        ("card4111111111111111", ["4111111111111111"]),
    ],
)
def test_a_card_takes_whole_groups(text, wanted):
    assert found(text) == wanted
