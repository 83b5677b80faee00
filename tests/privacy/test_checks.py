"""Check digits, against python-stdnum and the standards' own examples."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from stdnum import iban
from stdnum.cn import ric, uscc

from takeroot.privacy.checks import iban_fit, is_credit_code, is_resident_id

CREDIT = "0123456789ABCDEFGHJKLMNPQRTUWXY"


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


def test_a_resident_id_has_a_date_that_exists():
    good, no_such_day = "11010519490228000", "11010519490229000"

    assert sum(is_resident_id(good + check) for check in "0123456789X") == 1
    assert not any(is_resident_id(no_such_day + check) for check in "0123456789X")
