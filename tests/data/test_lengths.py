"""Lengths in characters and tokens."""

from __future__ import annotations

import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing

from takeroot.data import Example
from takeroot.data.lengths import char_lengths, token_use


@pytest.fixture
def tokenizer():
    words = WordLevel({"[UNK]": 0, "[CLS]": 1, "a": 2, "b": 3}, unk_token="[UNK]")
    made = Tokenizer(words)
    made.pre_tokenizer = Whitespace()
    made.post_processor = TemplateProcessing(single="[CLS] $A", special_tokens=[("[CLS]", 1)])
    return made


def test_the_histogram_counts_every_text_once():
    lengths = char_lengths([Example("x" * n) for n in range(1, 101)])

    assert sum(bar["count"] for bar in lengths["histogram"]) == 100
    assert (lengths["mean"], lengths["median"], lengths["max"]) == (50.5, 50.5, 100)
    assert lengths["histogram"][0] == {"from": 1, "to": 5, "count": 5}


def test_texts_of_one_length_make_one_bar():
    assert char_lengths([Example("abc", second="de")] * 4)["histogram"] == [
        {"from": 5, "to": 5, "count": 4}
    ]


def test_unknown_tokens_are_a_share_of_those_that_are_not_special(tokenizer):
    use = token_use([Example("a b x"), Example("a")], tokenizer, None)

    assert use.unknown_share == pytest.approx(1 / 4)
    assert (use.mean, use.longest) == (3.0, 4)


def test_truncated_texts_are_counted_without_truncating(tokenizer):
    tokenizer.enable_truncation(2)

    use = token_use([Example("a b a"), Example("a")], tokenizer, 3)

    assert (use.truncated, use.longest) == (1, 4)
    assert tokenizer.truncation is not None
