"""The demo sets have the sizes they promise, are balanced, and hold no text twice."""

from __future__ import annotations

import csv
import re
import unicodedata
from collections import Counter
from itertools import combinations
from pathlib import Path

import pytest

from takeroot.demo import DEMO_SETS, OUT_OF_SCOPE, demo_set

SIZES = {"en": (16, 32, 8), "zh": (10, 24, 6)}  # intents, training rows each, test rows each
FILES = [
    path
    for demo in DEMO_SETS.values()
    for path in (demo.train, demo.test, demo.out_of_scope)
    if path is not None
]


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


def texts(path: Path) -> list[str]:
    return [row["text"] for row in rows(path)]


def folded(text: str) -> str:
    """The text without case, punctuation and spaces, so that near-copies become equal."""
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", text).casefold())


def word_set(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"[a-z0-9]+", text.casefold()))


@pytest.mark.parametrize("language", DEMO_SETS)
def test_every_intent_has_the_promised_number_of_rows(language: str) -> None:
    intents, train_each, test_each = SIZES[language]

    train = Counter(row["intent"] for row in rows(demo_set(language).train))
    test = Counter(row["intent"] for row in rows(demo_set(language).test))

    assert len(train) == intents
    assert set(train.values()) == {train_each}
    assert test.keys() == train.keys()
    assert set(test.values()) == {test_each}


def test_there_are_a_hundred_out_of_scope_rows() -> None:
    path = demo_set("en").out_of_scope
    assert path is not None

    intents = [row["intent"] for row in rows(path)]

    assert intents == [OUT_OF_SCOPE] * 100


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_rows_are_clean(path: Path) -> None:
    assert b"\r" not in path.read_bytes()
    for row in rows(path):
        assert list(row) == ["text", "intent"]
        assert row["text"] == row["text"].strip()
        assert folded(row["text"])


def test_no_text_stands_twice_in_or_across_files() -> None:
    counts = Counter(folded(text) for path in FILES for text in texts(path))

    assert [text for text, count in counts.items() if count > 1] == []


def test_english_texts_are_not_made_from_templates() -> None:
    long = [
        words
        for path in (demo_set("en").train, demo_set("en").test)
        for words in map(word_set, texts(path))
        if len(words) >= 5
    ]

    close = [(a, b) for a, b in combinations(long, 2) if len(a & b) / len(a | b) > 0.7]

    assert close == []


def test_lengths_vary() -> None:
    lengths = [len(text.split()) for text in texts(demo_set("en").train)]

    assert min(lengths) <= 2
    assert max(lengths) >= 18


def test_unknown_language_is_refused_with_the_choice() -> None:
    with pytest.raises(ValueError, match="'fr'; there is: en, zh"):
        demo_set("fr")
