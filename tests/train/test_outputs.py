from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from takeroot.bundle import Outputs
from takeroot.data.example import Example
from takeroot.tasks import Classify, Tag, encode_examples
from takeroot.train.outputs import network_outputs, select


def test_pooled_outputs_have_a_row_and_a_vector_a_text(
    tiny_model: Callable[..., Any], tiny_tokenizer: Tokenizer
):
    task = Classify(("a", "b"))
    rows = [Example("my card", "a"), Example("the pin is lost", "b")]

    found = network_outputs(tiny_model(task), encode_examples(task, tiny_tokenizer, rows, 16))

    assert np.shape(found.logits) == (2, 2)
    assert found.embedding.shape == (2, 32)
    assert found.words is None


def test_windows_of_a_text_are_put_together(
    tiny_model: Callable[..., Any], tiny_tokenizer: Tokenizer
):
    task = Tag(("x",))
    texts = ["my card is lost " * 8, "the pin", "\u200b"]

    encoding = encode_examples(task, tiny_tokenizer, [Example(text, ()) for text in texts], 16)
    found = network_outputs(tiny_model(task), encoding)

    assert [each.shape for each in found.logits] == [(32, 3), (2, 3), (0, 3)]
    for text, words in zip(texts[:2], found.words, strict=False):
        assert [text[start:end] for start, end in words] == text.split()


def test_some_rows_are_selected():
    outputs = Outputs(np.arange(6).reshape(3, 2), np.arange(3)[:, None])

    found = select(outputs, np.array([2, 0]))

    assert found.logits.tolist() == [[4, 5], [0, 1]]
    assert found.embedding.tolist() == [[2], [0]]


def test_words_go_with_their_rows():
    outputs = Outputs(
        [np.zeros((1, 3)), np.ones((2, 3))], None, [np.zeros((1, 2)), np.ones((2, 2))]
    )

    found = select(outputs, [1])

    assert [len(each) for each in found.logits] == [2]
    assert [each.tolist() for each in found.words] == [[[1, 1], [1, 1]]]
