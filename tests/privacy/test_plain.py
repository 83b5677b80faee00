"""The plain form of a text, and the way back."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from takeroot.privacy.plain import plain

LETTERS = st.text(st.characters(categories=["Lu", "Ll", "Lo", "Mn", "Nd", "Po"]), max_size=20)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("１３８", "138"),
        ("1\u200b3\u00ad8\ufe0f", "138"),
        ("1\u20e33\u03328", "138"),
        ("१३८ ١٣٨", "138 138"),
        ("①⑩℡", "110TEL"),
        ("a\u2014b\u2212c\u3000d\u00a0e", "a-b-c d e"),
        ("e\u0301", "é"),
        ("\u1100\u1161\u11a8", "각"),
        ("1\x003\x7f8", "138"),
        ("a\u2028b\r\nc", "a\nb\r\nc"),
        ("", ""),
        ("\u0301\u200b", ""),
    ],
)
def test_what_is_written_otherwise_becomes_plain(text, expected):
    assert plain(text).text == expected


def test_a_stretch_leads_back_to_all_of_its_characters():
    text = "x１\u200b３⑩e\u0301y"
    form = plain(text)

    at = form.text.index("1310é")
    start, end = form.span(at, at + 5)

    assert text[start:end] == "１\u200b３⑩e\u0301"


@given(st.text(st.characters(max_codepoint=0x2FFF), max_size=30))
def test_every_character_leads_back_to_a_stretch_in_order(text):
    form = plain(text)

    spans = [form.span(place, place + 1) for place in range(len(form.text))]

    assert spans == sorted(spans)
    assert all(0 <= start < end <= len(text) for start, end in spans)


@given(st.text("aé各\u0301\u0327\u1100\u1161\u11a8가ﾞカ", max_size=20).map(lambda t: "é" + t))
def test_letters_are_those_of_nfkc(text):
    normal = unicodedata.normalize("NFKC", text)

    dropped = [c for c in normal if unicodedata.category(c) != "Mn"]

    assert [c for c in plain(text).text if unicodedata.category(c) != "Mn"] == dropped


def test_marks_without_end_are_sorted_in_short_stretches():
    text = "é" + "\u0301\u0327" * 50_000 + "x"

    form = plain(text)

    assert form.text[-1] == "x"
    assert len(form.text) <= 40
