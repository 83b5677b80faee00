from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from takeroot.bundle.tags import (
    WordSpan,
    align,
    entities,
    is_valid,
    spans_of,
    tag_names,
    viterbi,
)

LABELS = ("PER", "LOC")
OUT, B_PER, I_PER, B_LOC, I_LOC = range(5)
scores = hnp.arrays(
    np.float64,
    st.tuples(st.integers(1, 5), st.just(5)),
    elements=st.floats(-50, 50).map(lambda value: round(value, 3)),
)


def _allowed(tags):
    """The rule, written out with names: I-x follows B-x or I-x only."""
    names = [tag_names(LABELS)[tag] for tag in tags]
    return all(
        name[0] != "I" or before in (f"B{name[1:]}", name)
        for before, name in zip(["O", *names], names, strict=False)
    )


def test_tags_are_named_in_label_order():
    assert tag_names(LABELS) == ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")


@given(scores)
def test_viterbi_finds_the_best_of_all_valid_sequences(table):
    words = range(len(table))
    best = max(
        sum(table[word, tag] for word, tag in zip(words, tags, strict=True))
        for tags in product(range(5), repeat=len(table))
        if _allowed(tags)
    )

    found = viterbi(table, LABELS)

    assert _allowed(found)
    assert sum(table[words, found]) == pytest.approx(best, abs=1e-9)


@given(
    hnp.arrays(
        np.float32, st.tuples(st.integers(1, 200), st.just(5)), elements=st.floats(-9, 9, width=32)
    )
)
def test_viterbi_never_gives_an_invalid_sequence(table):
    assert _allowed(viterbi(table, LABELS))


def test_viterbi_of_no_words_is_empty():
    assert viterbi(np.zeros((0, 5)), LABELS) == []


def test_a_constant_a_word_changes_nothing():
    rng = np.random.default_rng(0)
    table = rng.normal(size=(30, 5))

    assert viterbi(table, LABELS) == viterbi(table + rng.normal(size=(30, 1)), LABELS)


@given(st.lists(st.integers(0, 4), max_size=8))
def test_validity_follows_the_written_rule(tags):
    assert is_valid(np.array(tags, np.int64)) == _allowed(tags)


def test_spans_end_where_the_next_begins():
    tags = [B_PER, I_PER, B_PER, OUT, B_LOC, I_LOC, B_PER]

    assert spans_of(tags, LABELS) == [
        WordSpan(0, 1, "PER"),
        WordSpan(2, 2, "PER"),
        WordSpan(4, 5, "LOC"),
        WordSpan(6, 6, "PER"),
    ]


def test_entities_carry_offsets_text_and_the_geometric_mean():
    text = "Ann Lee saw Rome"
    words = np.array([[0, 3], [4, 7], [8, 11], [12, 16]])
    table = np.full((4, 5), 0.01)
    table[[0, 1, 3], [B_PER, I_PER, B_LOC]] = [0.9, 0.4, 0.7]

    first, second = entities(text, words, [B_PER, I_PER, OUT, B_LOC], table, LABELS)

    assert (first.start, first.end, first.label, first.text) == (0, 7, "PER", "Ann Lee")
    assert first.confidence == pytest.approx(0.6)  # sqrt(0.9 * 0.4)
    assert (second.text, second.confidence) == ("Rome", pytest.approx(0.7))


def test_gold_entities_become_the_tags_of_the_words_they_touch():
    words = np.array([[0, 3], [4, 7], [8, 11], [12, 16]])

    tags = align([((0, 7), "PER"), ((13, 15), "LOC")], words, LABELS)

    assert tags == [B_PER, I_PER, OUT, B_LOC]


@given(st.lists(st.integers(0, 4), min_size=1, max_size=10))
def test_tags_to_characters_and_back_is_the_same(tags):
    words = np.array([[3 * k, 3 * k + 2] for k in range(len(tags))])
    valid = viterbi(np.eye(5)[tags], LABELS)
    found = entities("x" * 99, words, valid, np.ones((len(tags), 5)), LABELS)

    gold = [((entity.start, entity.end), entity.label) for entity in found]

    assert align(gold, words, LABELS) == valid


def test_words_of_an_entity_that_overlaps_another_stay_with_the_first():
    words = np.array([[0, 3], [4, 7], [8, 11]])

    assert align([((0, 7), "PER"), ((4, 11), "LOC")], words, LABELS) == [B_PER, I_PER, B_LOC]
