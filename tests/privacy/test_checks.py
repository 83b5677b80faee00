"""Check digits, against python-stdnum and the standards' own examples."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum import iban, luhn
from stdnum.cn import ric, uscc

from takeroot.privacy.checks import card_fit, iban_fit, is_card, is_credit_code, is_resident_id

CREDIT = "0123456789ABCDEFGHJKLMNPQRTUWXY"


@given(st.from_regex(r"4[0-9]{15}", fullmatch=True))
def test_luhn_agrees_with_the_reference(digits):
    assert is_card(digits) == luhn.is_valid(digits)


@given(st.from_regex(r"1101051949123100[0-9][0-9X]", fullmatch=True))
def test_resident_ids_agree_with_the_reference(text):
    assert is_resident_id(text) == ric.is_valid(text)


@given(st.text(CREDIT, min_size=9, max_size=9), st.sampled_from(CREDIT))
def test_credit_codes_agree_with_the_reference(middle, last):
    body = "91110000" + middle

    assert is_credit_code(body + uscc.calc_check_digit(body))
    assert is_credit_code(body + last) == (last == uscc.calc_check_digit(body))


@given(st.from_regex(r"DE[0-9]{20}", fullmatch=True))
def test_ibans_agree_with_the_reference(text):
    assert bool(iban_fit(text)) == iban.is_valid(text, check_country=False)


def test_an_iban_ends_where_its_country_says():
    number = "GB29 NWBK 6016 1331 9268 19"

    assert iban_fit(number + " and then") == len(number)
    assert iban_fit(number + "and then") == 0


@pytest.mark.parametrize("digits", ["1799273987130000", "79927398713", "411111111111111"])
def test_luhn_alone_makes_no_card(digits):
    assert not is_card(digits)


@pytest.mark.parametrize(
    ("piece", "size"),
    [
        ("4111 1111 1111 1111", 19),
        ("4111 1111 1111 1111 2026", 19),
        ("3782 822463 10005", 17),
        ("41 11 11 11 11 11 11 11", 0),
    ],
)
def test_a_card_takes_whole_groups(piece, size):
    assert card_fit(piece) == size


def test_a_resident_id_has_a_date_that_exists():
    good, no_such_day = "11010519490228000", "11010519490229000"

    assert sum(is_resident_id(good + check) for check in "0123456789X") == 1
    assert not any(is_resident_id(no_such_day + check) for check in "0123456789X")
