"""Scripts of texts."""

from __future__ import annotations

import unicodedata
from itertools import pairwise

import pytest

from takeroot.data.languages import RUNS, script_of, script_shares


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("plain English, 42", "Latin"),
        ("déjà vu", "Latin"),
        ("我的卡还没有到 OK", "Han"),
        ("カードが届きません", "Kana"),
        ("카드가 아직 안 왔어요", "Hangul"),
        ("где моя карта", "Cyrillic"),
        ("أين بطاقتي", "Arabic"),
        ("मेरा कार्ड कहाँ है", "Devanagari"),
        ("που είναι η κάρτα", "Greek"),
        ("１２３ 😀!", "none"),
        ("", "none"),
    ],
)
def test_a_text_is_in_the_script_of_most_of_its_letters(text, script):
    assert script_of(text) == script


@pytest.mark.parametrize(
    ("start", "end", "script"),
    [(a, b, script) for (a, script), (b, _) in pairwise(RUNS) if script not in ("", "other")],
)
def test_runs_agree_with_the_unicode_names(start, end, script):
    words = {"Han": ("CJK", "BOPOMOFO"), "Kana": ("HIRAGANA", "KATAKANA")}
    letters = [chr(c) for c in range(start, end) if chr(c).isalpha()]

    names = [unicodedata.name(letter, "") for letter in letters]

    known = words.get(script, (script.upper(),))
    assert sum(any(word in name for word in known) for name in names) > 0.75 * len(names) > 0


def test_shares_add_up_and_the_largest_comes_first():
    shares = script_shares(["one", "two", "三", "4"])

    assert shares == {"Latin": 0.5, "Han": 0.25, "none": 0.25}
    assert next(iter(shares)) == "Latin"
