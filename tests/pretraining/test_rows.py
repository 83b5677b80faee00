"""Rows on disk are the texts' tokens, none lost and none twice; words begin where they begin."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from takeroot.models.vocabulary import train_tokenizer
from takeroot.pretraining.rows import cut
from takeroot.pretraining.token_file import TokenFile, word_starts, write_tokens
from takeroot.recipe import TokenizerRecipe

TEXTS = ["我们研究飞行器的控制器", "飞行器 pcr test 2024", "我们", "controllers of the plane"] * 8


def file_of(lengths: list[int]) -> TokenFile:
    ids = np.arange(sum(lengths), dtype=np.uint16)
    return TokenFile(ids, np.ones(len(ids), np.uint8), np.cumsum(lengths), 0)


@pytest.mark.parametrize("kind", ["wordpiece", "bpe", "unigram"])
def test_the_mapped_tokens_are_the_texts(kind: str, tmp_path: Path) -> None:
    recipe = TokenizerRecipe.model_validate({"kind": kind, "vocabulary": 120})
    tokenizer = train_tokenizer(recipe, lambda: iter([TEXTS]))

    file = write_tokens(tokenizer, [TEXTS[:3], TEXTS[3:]], tmp_path / "tokens")

    assert isinstance(file.ids, np.memmap)
    assert file.ids.dtype == np.uint16
    rows = list(cut(file, most=100, fewest=1))
    expected = [tokenizer.encode(text, add_special_tokens=False).ids for text in TEXTS]
    assert [row.ids.tolist() for row in rows] == expected


def test_words_begin_at_han_characters_and_at_other_words(tmp_path: Path) -> None:
    recipe = TokenizerRecipe(kind="wordpiece", vocabulary=60)
    tokenizer = train_tokenizer(recipe, lambda: iter([TEXTS]))
    text = "飞行器 tests"
    found = tokenizer.encode(text, add_special_tokens=False)

    starts = word_starts(found, text)

    assert found.tokens[:3] == list("飞行器")
    assert starts.tolist() == [1, 1, 1, 1, *([0] * (len(found.tokens) - 4))]
    assert len(found.tokens) > 4


@given(st.lists(st.integers(0, 40), min_size=1, max_size=12), st.integers(1, 15))
def test_rows_hold_every_token_once_and_fit(lengths: list[int], most: int) -> None:
    file = file_of(lengths)

    rows = cut(file, most, fewest=1)

    assert np.concatenate([np.zeros(0), *(row.ids for row in rows)]).tolist() == file.ids.tolist()
    assert all(1 <= length <= most for length in rows.lengths)


def test_a_long_document_is_cut_into_rows_of_about_equal_length() -> None:
    assert cut(file_of([25, 3]), most=10, fewest=1).lengths.tolist() == [8, 8, 9, 3]


def test_rows_too_short_to_learn_from_are_left_out() -> None:
    assert cut(file_of([1, 4, 2]), most=10, fewest=2).lengths.tolist() == [4, 2]


def test_a_row_begins_a_word_even_within_one() -> None:
    file = TokenFile(np.arange(4), np.array([1, 0, 0, 0], np.uint8), np.array([4]), 0)

    assert [row.starts.tolist() for row in cut(file, most=2, fewest=1)] == [[True, False]] * 2


def test_some_rows_are_taken_evenly() -> None:
    rows = cut(file_of([1] * 10), most=5, fewest=1)

    assert [row.ids.tolist() for row in rows.some(4)] == [[0], [3], [6], [9]]
    assert rows.some(10) is rows
