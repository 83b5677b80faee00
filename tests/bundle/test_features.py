from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix, hstack
from sklearn.feature_extraction.text import TfidfVectorizer

from takeroot.bundle import features as module
from takeroot.bundle.features import WORD, NgramFeatures
from takeroot.errors import BundleError

TEXTS = [
    "Where is my card? I ordered it two weeks ago",
    "my card, my card is LOST",
    "Change the PIN please",
    "a I x",
    "我的卡丢了 please help",
    "ＡＢＣ über naïve café don't 3.5%",
    "",
    "   ",
    "the the the the the",
]
texts = st.lists(
    st.text(st.sampled_from("ab cIß我的é.\n\t'4"), max_size=20), min_size=1, max_size=8
)


def _sklearn(fit_on, transform):
    blocks = [
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=WORD),
        TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True),
    ]
    names, parts = [], []
    for block in blocks:
        parts.append(block.fit(fit_on).transform(transform))
        names.append(block.get_feature_names_out().tolist())
    return names, hstack(parts).toarray()


def _dense(found):
    return csr_matrix((found.data, found.indices, found.indptr), shape=found.shape).toarray()


def test_weights_are_scikit_learns():
    (words, characters), expected = _sklearn(TEXTS, TEXTS)

    features = NgramFeatures.fit(TEXTS)

    assert (list(features.words), list(features.characters)) == (words, characters)
    np.testing.assert_allclose(_dense(features.transform(TEXTS)), expected, atol=1e-6)


def test_unseen_texts_weigh_as_in_scikit_learn():
    unseen = ["my unknown card", "完全没见过的 card", "qqq", ""]
    _, expected = _sklearn(TEXTS, unseen)

    found = NgramFeatures.fit(TEXTS).transform(unseen)

    np.testing.assert_allclose(_dense(found), expected, atol=1e-6)


@settings(max_examples=60)
@given(texts)
def test_weights_are_scikit_learns_on_any_text(some):
    some = [*some, "ab a"]  # scikit-learn refuses texts without a single n-gram
    _, expected = _sklearn(some, some)

    np.testing.assert_allclose(_dense(NgramFeatures.fit(some).transform(some)), expected, atol=1e-6)


def test_a_chinese_character_is_a_word():
    words = NgramFeatures.fit(["我的card丢了"]).words

    assert set(words) == {"我", "的", "card", "丢", "了", "我 的", "的 card", "card 丢", "丢 了"}


def test_the_most_used_are_kept_and_ties_go_by_code_point():
    features = NgramFeatures.fit(["b b b c a", "b c a"], max_features=2)

    assert features.words == ("a", "b")  # b: 4 uses; a, c, "b c", "c a": 2 each
    assert len(features.characters) == 2


def test_what_too_few_texts_have_is_dropped():
    features = NgramFeatures.fit(["red red red", "blue", "blue"], min_texts=2)

    assert features.words == ("blue",)


def test_the_order_of_training_texts_changes_nothing():
    forward, backward = NgramFeatures.fit(TEXTS), NgramFeatures.fit(TEXTS[::-1])

    assert forward.to_json() == backward.to_json()
    assert np.array_equal(forward.idf, backward.idf)


def test_small_blocks_and_caches_change_nothing(monkeypatch):
    whole = NgramFeatures.fit(TEXTS)
    expected = whole.transform(TEXTS)
    monkeypatch.setattr(module, "_BLOCK", 2)
    monkeypatch.setattr(module, "_KNOWN_WORDS", 1)

    again = NgramFeatures.fit(TEXTS)
    found = again.transform(TEXTS)

    assert again.to_json() == whole.to_json()
    assert all(
        np.array_equal(getattr(found, name), getattr(expected, name))
        for name in ("indptr", "indices", "data")
    )


def test_memory_is_bounded_by_forgetting_what_one_text_had(monkeypatch):
    monkeypatch.setattr(module, "_BLOCK", 2)
    monkeypatch.setattr(module, "_GRAMS", 3)

    features = NgramFeatures.fit(["red car", "red bus", "old red", "red"])

    assert "red" in features.words
    assert "car" not in features.words


def test_a_text_weighs_the_same_whatever_its_neighbours():
    features = NgramFeatures.fit(TEXTS)
    together = features.transform(TEXTS)

    for row, text in enumerate(TEXTS):
        alone = features.transform([text])
        start, end = together.indptr[row], together.indptr[row + 1]
        assert np.array_equal(alone.data, together.data[start:end])
        assert np.array_equal(alone.indices, together.indices[start:end])


def test_json_brings_the_same_features_back():
    features = NgramFeatures.fit(TEXTS)

    again = NgramFeatures.from_json(json.loads(json.dumps(features.to_json())), features.idf)

    assert np.array_equal(_dense(again.transform(TEXTS)), _dense(features.transform(TEXTS)))


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"words": "abc"},
        {"words": [1]},
        {"extra": 1},
        {"words": ["my", "my"]},
        {"characters": []},
    ],
)
def test_json_that_is_not_ours_is_refused(change):
    features = NgramFeatures.fit(["my card"])

    with pytest.raises(BundleError, match="features"):
        NgramFeatures.from_json({**features.to_json(), **change}, features.idf)


@pytest.mark.parametrize("values", [None, [], "x", {}])
def test_json_of_another_shape_is_refused(values):
    with pytest.raises(BundleError, match="the keys must be"):
        NgramFeatures.from_json(values, np.ones(1))


def test_no_texts_give_no_rows():
    assert NgramFeatures.fit(TEXTS).transform([]).shape[0] == 0
