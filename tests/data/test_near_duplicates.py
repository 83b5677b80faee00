"""Near duplicates: the distance, what is found, and that it stays linear."""

from __future__ import annotations

import random
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rapidfuzz.distance import Levenshtein

from takeroot.data.near_duplicates import Near, find

WORDS = ["".join(random.Random(i).choices(string.ascii_lowercase, k=3 + i % 6)) for i in range(800)]


def sentences(count, seed=0):
    rng = random.Random(seed)
    return [" ".join(rng.choices(WORDS, k=rng.randint(6, 14))) for _ in range(count)]


def edited(text, share, rng):
    """The text with a share of its characters inserted, deleted or replaced."""
    letters = list(text)
    for _ in range(max(1, int(len(text) * share))):
        place, kind = rng.randrange(len(letters)), rng.randrange(3)
        letters[place : place + (kind > 0)] = [] if kind == 1 else [rng.choice("abcdefgh ")]
    return "".join(letters)


def table_distance(a, b):
    """The textbook algorithm (Wagner and Fischer 1974)."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        above, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            above, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, above + (x != y))
    return row[-1]


@settings(max_examples=300, deadline=None)
@given(st.text("abc你", max_size=80), st.text("abc你", max_size=80))
def test_the_distance_is_the_textbook_one(a, b):
    assert Levenshtein.distance(a, b) == table_distance(a, b)


@pytest.mark.parametrize("share", [0.05, 0.1, 0.15, 0.2])
def test_nine_of_ten_planted_near_duplicates_are_found(share):
    texts, rng = sentences(1000), random.Random(1)
    planted = [edited(text, share, rng) for text in texts[:200]]
    within = {
        1000 + i
        for i, text in enumerate(planted)
        if 0 < table_distance(" ".join(text.split()), texts[i]) <= 0.2 * len(text)
    }

    found = {pair.second for pair in find([*texts, *planted])}

    assert len(found & within) >= (0.9 if share < 0.2 else 0.6) * len(within)


def test_clean_texts_have_no_near_duplicates():
    assert find(sentences(3000)) == []


def test_chinese_texts_are_compared_by_character():
    texts = [
        "我昨天买的手机今天还没有发货请问怎么回事",
        "退款什么时候能到账",
        "我昨天买的手机今天还没有发货请问怎么办",
    ]

    assert [(pair.first, pair.second) for pair in find(texts)] == [(0, 2)]


def test_exact_duplicates_are_not_reported_again():
    assert find(["The same text here", "the  same text HERE", "something else entirely"]) == []


def test_short_texts_are_not_near_anything():
    assert find(["yes ok", "yes oh", "no ok"]) == []


def test_with_a_boundary_only_pairs_across_it_are_found():
    a, b, c = (
        "please cancel my order now",
        "please cancel my order, now",
        "please cancel my orders now",
    )

    pairs = find([a, b, c], boundary=2)

    assert [(pair.first < 2, pair.second) for pair in pairs] == [(True, 2)]


def test_copies_are_compared_once_on_each_side_of_the_boundary():
    text, near = "please cancel my order now", "please cancel my order now!"

    pairs = find([near, near, text, "something else", text, text], boundary=3)

    assert [(pair.first, pair.second) for pair in pairs] == [(0, 4)]


def test_long_texts_are_compared_by_both_ends():
    words = " ".join(sentences(60))

    pairs = find([words, words + " and a few more words", words[:500] + words[::-1]])

    assert [(pair.first, pair.second) for pair in pairs] == [(0, 1)]


def test_templated_texts_do_not_explode(monkeypatch):
    calls = []
    distance = Levenshtein.distance
    monkeypatch.setattr(Levenshtein, "distance", lambda a, b: calls.append(1) or distance(a, b))

    pairs = find([f"please cancel my order number {i:05}" for i in range(2000)])

    assert len(pairs) > 1900
    assert len(calls) < 20 * 2000


def test_no_texts_and_one_text_have_no_pairs():
    assert find([]) == find(["one text alone"]) == []


def test_the_distance_is_given_as_a_share():
    assert find(["abcdefghij", "abcdefghiX"]) == [Near(0, 1, 0.1)]
