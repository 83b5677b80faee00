"""Telephone numbers of the world, told by libphonenumber's data."""

from __future__ import annotations

import phonenumbers
import pytest

from takeroot.privacy.find import scan
from takeroot.privacy.phone import PhoneNumbers

NUMBERS = PhoneNumbers(("CN", "US", "GB"))


def found(text, numbers=NUMBERS):
    return [text[start:end] for start, end, _ in scan(text, {"phone": numbers}).pieces]


@pytest.mark.parametrize("region", sorted(phonenumbers.SUPPORTED_REGIONS))
def test_an_example_of_every_country_is_found(region):
    example = phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.MOBILE)
    number = example or phonenumbers.example_number(region)
    style = phonenumbers.PhoneNumberFormat.INTERNATIONAL
    written = phonenumbers.format_number(number, style)

    assert found(f"call {written}, please") == [written]


@pytest.mark.parametrize(
    "written",
    [
        "(212) 555-0123",
        "1-212-555-0123",
        "020 7946 0958",
        "0044 20 7946 0958",
        "+44 (0)20 7946 0958",
    ],
)
def test_national_writings_of_the_regions_are_found(written):
    assert found(f"at {written} today") == [written]


@pytest.mark.parametrize("text", ["call 2125550123", "电话: 62345678", "Phone 02079460958"])
def test_a_word_before_says_that_digits_are_a_number(text):
    assert len(found(text)) == 1
    assert found(text[-10:].lstrip()[-8:]) == []


@pytest.mark.parametrize(
    "text",
    ["手机 12999.00元", "手机 2024-05-01 发货", "电话 20240501", "+1,234,567", "2024-05-01 12:30"],
)
def test_prices_and_dates_are_none(text):
    assert found(text) == []


def test_digits_that_follow_a_number_stay():
    assert found("+44 20 7946 0958 2024") == ["+44 20 7946 0958"]


def test_other_regions_are_found_when_asked_for():
    assert found("040 23125000") == []
    assert found("040 23125000", PhoneNumbers(["DE"])) == ["040 23125000"]


def test_one_number_has_one_value():
    assert NUMBERS.value("(212) 555-0123") == NUMBERS.value("+1 212 555 0123") == "+12125550123"


def test_beyond_a_count_the_form_decides():
    text = "+999 123 4567; " * 201

    assert len(found(text)) == 1
