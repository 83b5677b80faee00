from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from takeroot.data import Example
from takeroot.data.augment import CHANGES, augmented, changed

TEXT = "please block my lost card"


def one(text: str, change: str, seed: int = 0) -> str:
    return changed(text, change, np.random.default_rng(seed))


@pytest.mark.parametrize("seed", range(5))
def test_swapping_keeps_all_words(seed: int) -> None:
    found = one(TEXT, "swap", seed)

    assert found != TEXT
    assert Counter(found.split()) == Counter(TEXT.split())


@pytest.mark.parametrize("seed", range(5))
def test_deleting_takes_one_word_away(seed: int) -> None:
    gone = Counter(TEXT.split()) - Counter(one(TEXT, "delete", seed).split())

    assert sum(gone.values()) == 1


@pytest.mark.parametrize("seed", range(5))
def test_a_typo_moves_letters_within_one_word(seed: int) -> None:
    pairs = list(zip(TEXT.split(), one(TEXT, "typo", seed).split(), strict=True))
    other = [(before, after) for before, after in pairs if before != after]

    assert len(other) <= 1  # swapping two equal letters changes nothing
    assert all(sorted(before) == sorted(after) for before, after in other)


@pytest.mark.parametrize("change", CHANGES)
def test_texts_without_blanks_are_changed_by_characters(change: str) -> None:
    found = one("我的卡丢了怎么办", change)

    assert found != "我的卡丢了怎么办"
    assert not set(found) - set("我的卡丢了怎么办")


@pytest.mark.parametrize("change", CHANGES)
def test_texts_too_short_are_left_as_they_are(change: str) -> None:
    assert one("no", change) == "no"


def test_copies_keep_label_and_tell_their_row() -> None:
    rows = [Example(TEXT, "card", source="t:1"), Example("change the pin", "pin", source="t:2")]

    found = augmented(rows, ("delete",), seed=0)

    assert [(number, copy.label) for number, copy in found] == [(0, "card"), (1, "pin")]
    assert found[1][1].source == "t:2 (delete)"
    assert augmented(rows, ("delete",), seed=0) == found


def test_both_texts_of_a_pair_are_changed() -> None:
    ((_, copy),) = augmented([Example(TEXT, "same", second="where is my card now")], ("delete",), 0)

    assert len(copy.text.split()) == 4
    assert copy.second is not None and len(copy.second.split()) == 4


def test_a_copy_that_is_another_row_is_left_out() -> None:
    rows = [Example("a b c", "x"), *(Example(text, "y") for text in ("b c", "a c", "a b"))]

    assert 0 not in {number for number, _ in augmented(rows, ("delete",), 0)}
