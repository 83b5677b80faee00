from __future__ import annotations

import pytest

from takeroot.bundle.shapes import CAPITAL, CAPITALS, DIGITS, MIXED, PLAIN, shape_of
from takeroot.bundle.tokens import load_tokenizer, windows

CASES = {
    "card": PLAIN,
    "Ann": CAPITAL,
    "I": CAPITAL,
    "NASA": CAPITALS,
    "O'NEILL": CAPITALS,
    "iPhone": MIXED,
    "McDonald": MIXED,
    "4th": DIGITS,
    "B2B": DIGITS,
    "我": PLAIN,
    "#": PLAIN,
    "": PLAIN,
    "Élan": CAPITAL,
}


@pytest.fixture
def tokenizer(tokenizer_json: bytes):
    return load_tokenizer(tokenizer_json)


@pytest.mark.parametrize("word", CASES)
def test_a_word_has_the_shape_a_reader_would_tell(word: str) -> None:
    assert shape_of(word) == CASES[word]


def test_every_token_of_a_word_has_its_shape(tokenizer):
    (window,) = windows(tokenizer, ["Ann CARDS, 我"], max_tokens=16)

    # [CLS] ann card ##s , 我 [SEP]
    assert window.types == [PLAIN, CAPITAL, CAPITALS, CAPITALS, PLAIN, PLAIN, PLAIN]


def test_windows_of_a_long_text_keep_the_shapes(tokenizer):
    text = "my Ann CARDS " * 20

    for window in windows(tokenizer, [text], max_tokens=10):
        shapes = {4: PLAIN, 14: CAPITAL, 5: CAPITALS, 15: CAPITALS}  # by token id
        assert window.types == [shapes.get(token, PLAIN) for token in window.ids]
