from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from takeroot.bundle.text import joined, normalise, scrub
from takeroot.errors import BundleError


@pytest.mark.parametrize(
    ("given_text", "expected"),
    [
        ("  two\t words\n", "two words"),
        ("ＡＢＣ１２３", "ABC123"),
        ("ﬁne", "fine"),
        ("zero\u200bwidth\ufeff", "zerowidth"),
        ("\u202eright to left\u202c", "right to left"),
        ("tag\U000e0041\U000e007f", "tag"),
        ("bell\x07 and\x00 nul", "bell and nul"),
        ("e\u200b\u0301", "é"),  # the accent joins its letter once nothing stands between
        ("soft\u00adhyphen", "softhyphen"),
        ("\u3000我的　卡", "我的 卡"),
        ("lone \ud800", "lone \ufffd"),
        ("x\ufe0f", "x"),
        ("", ""),
    ],
)
def test_what_a_reader_cannot_see_does_not_count(given_text, expected):
    assert normalise(given_text, "nfkc") == expected


@given(st.text())
def test_normalising_twice_changes_nothing_more(text):
    once = normalise(text, "nfkc")

    assert normalise(once, "nfkc") == once


@given(st.text())
def test_what_is_left_is_nfkc_without_control_or_format_characters(text):
    found = normalise(text, "nfkc")

    assert unicodedata.is_normalized("NFKC", found)
    assert not any(unicodedata.category(character) in ("Cc", "Cs") for character in found)
    assert found == " ".join(found.split())


@given(st.text(st.characters(max_codepoint=127)))
def test_the_short_cut_for_ascii_gives_what_the_long_way_gives(text):
    long_way = normalise(f"é {text}", "nfkc")

    assert long_way == f"é {normalise(text, 'nfkc')}".rstrip()


@given(st.text(st.characters(codec=None)))
def test_none_changes_nothing(text):
    assert normalise(text, "none") == text


def test_an_unknown_way_is_refused():
    with pytest.raises(BundleError, match="'nfc' is not one of: nfkc, none"):
        normalise("a", "nfc")


@given(st.text(st.characters(codec=None)))
def test_scrubbed_text_is_valid_and_as_long(text):
    clean = scrub(text)

    assert len(clean) == len(text)
    assert clean.encode().decode() == clean


def test_the_texts_of_a_pair_stand_on_two_lines():
    assert joined([" a ", ("b  c", "d")], "nfkc") == ["a", "b c\nd"]
