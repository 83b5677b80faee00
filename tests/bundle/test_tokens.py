from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers

from takeroot.bundle.tokens import encode, load_tokenizer, windows
from takeroot.errors import BundleError

CLS, SEP = 2, 3


@pytest.fixture(scope="module")
def tokenizer(tokenizer_json):
    return load_tokenizer(tokenizer_json)


def _plain(tokenizer_json, text):
    return Tokenizer.from_str(tokenizer_json.decode()).encode(text)


def test_ids_are_the_tokenizers(tokenizer, tokenizer_json):
    found = encode(tokenizer, ["My cards", "PIN ."], max_tokens=16)

    assert found.ids == [_plain(tokenizer_json, text).ids for text in ("My cards", "PIN .")]
    assert (found.types, found.truncated) == (None, ())


def test_texts_are_normalised_first(tokenizer):
    wide, plain = "ｍｙ\u200b　ｃａｒｄ", "my card"

    assert (
        encode(tokenizer, [wide], max_tokens=16).ids
        == encode(tokenizer, [plain], max_tokens=16).ids
    )
    raw = encode(tokenizer, [wide], max_tokens=16, normalisation="none")
    assert raw.ids != encode(tokenizer, [plain], max_tokens=16).ids


def test_long_texts_are_cut_and_counted(tokenizer):
    found = encode(tokenizer, ["my card", "my " * 14, "my " * 15], max_tokens=16)

    assert [len(ids) for ids in found.ids] == [4, 16, 16]
    assert found.truncated == (2,)
    assert found.ids[2][-1] == SEP


def test_of_a_pair_the_longer_text_is_cut_first(tokenizer):
    found = encode(tokenizer, [("my " * 30, "card"), ("my", "card")], max_tokens=10)

    assert found.ids[0].count(SEP) == 2
    assert found.types[0] == [0] * 8 + [1] * 2
    assert found.truncated == (0,)


def test_cutting_follows_the_call_not_the_call_before(tokenizer):
    lengths = [len(encode(tokenizer, ["my " * 50], max_tokens=n).ids[0]) for n in (8, 20, 8)]

    assert lengths == [8, 20, 8]


def test_an_empty_text_still_has_a_token(tokenizer):
    bare = Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))

    assert encode(tokenizer, [""], max_tokens=16).ids == [[CLS, SEP]]
    assert encode(bare, [""], max_tokens=16).ids == [[0]]


def test_lone_surrogates_do_not_stop_the_others(tokenizer):
    found = encode(tokenizer, ["my \ud800", "card"], max_tokens=16, normalisation="none")

    assert found.ids[1] == encode(tokenizer, ["card"], max_tokens=16).ids[0]
    assert windows(tokenizer, ["my \ud800 card"], max_tokens=16)[0].words.tolist()[-1] == [5, 9]


@pytest.mark.parametrize("data", [b"", b"{}", b"\xff\xfe", b'{"version": "1.0"}'])
def test_what_is_no_tokenizer_is_refused(data):
    with pytest.raises(BundleError, match=r"tokenizer\.json: not a tokenizer file"):
        load_tokenizer(data)


def test_a_word_is_decided_at_its_first_token(tokenizer):
    (window,) = windows(tokenizer, ["Cards, helped 我的"], max_tokens=16)

    texts = ["Cards, helped 我的"[start:end] for start, end in window.words]
    assert texts == ["Cards", ",", "helped", "我", "的"]
    assert window.places.tolist() == [1, 3, 4, 6, 7]


def test_offsets_point_into_the_text_as_given(tokenizer):
    text = "  Ａnn \u200b my\ncard"
    (window,) = windows(tokenizer, [text], max_tokens=16)

    assert [text[start:end] for start, end in window.words][-2:] == ["my", "card"]


def test_characters_written_without_spaces_are_words_of_their_own():
    vocabulary = {token: number for number, token in enumerate(["[UNK]", "我", "的", "card", "▁"])}
    bare = Tokenizer(models.Unigram([(token, -1.0) for token in vocabulary], unk_id=0))
    bare.pre_tokenizer = pre_tokenizers.Metaspace()
    text = " 我的card 我"

    (window,) = windows(bare, [text], max_tokens=16)

    assert [text[start:end] for start, end in window.words] == ["我", "的", "card", "我"]


words = st.lists(st.sampled_from(["my", "cards", "helped", "pin", "zzz", "我的", "."]), max_size=60)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=words, max_tokens=st.integers(5, 20))
def test_windows_decide_every_word_once_in_order(tokenizer, words, max_tokens):
    text = " ".join(words)
    (whole,) = windows(tokenizer, [text], max_tokens=10_000)

    cut = windows(tokenizer, [text], max_tokens=max_tokens)

    assert np.concatenate([window.words for window in cut]).tolist() == whole.words.tolist()
    for window in cut:
        assert len(window.ids) <= max_tokens
        assert (window.ids[0], window.ids[-1]) == (CLS, SEP)
    ids = [window.ids[place] for window in cut for place in window.places]
    assert ids == [whole.ids[place] for place in whole.places]


def test_words_are_decided_away_from_cuts(tokenizer):
    cut = windows(tokenizer, ["my " * 100], max_tokens=18)

    for before, window in pairwise(cut):
        assert window.places.min() >= 4  # a quarter of the 16 tokens between [CLS] and [SEP]
        assert before.places.max() <= 13


def test_windows_know_their_text(tokenizer):
    cut = windows(tokenizer, ["my", "card " * 30, ""], max_tokens=12)

    rows = [window.row for window in cut]
    assert rows == sorted(rows)
    assert set(rows) == {0, 1, 2}


def test_a_text_of_a_megabyte_is_read_through(tokenizer):
    text = "my card " * 60_000

    cut = windows(tokenizer, [text], max_tokens=512)

    assert sum(len(window.words) for window in cut) == 120_000
