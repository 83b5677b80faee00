from __future__ import annotations

import numpy as np
from tokenizers import Tokenizer

from takeroot.data.example import Example, Span
from takeroot.tasks import TASKS, Classify, Encoding, MultiLabel, Tag, encode_examples


def tokens(tokenizer: Tokenizer, ids: object) -> list[str]:
    return [tokenizer.id_to_token(number) for number in ids]


def test_a_text_stands_between_its_special_tokens(tiny_tokenizer: Tokenizer):
    found = encode_examples(Classify(("a", "b")), tiny_tokenizer, [Example("My card", "b")], 16)

    assert tokens(tiny_tokenizer, found.rows[0].ids) == ["[CLS]", "my", "card", "[SEP]"]
    assert found.rows[0].target == 1
    assert (found.owners, found.words) == ([0], None)


def test_texts_are_normalised_as_in_serving(tiny_tokenizer: Tokenizer):
    wide = Example("ｍｙ\u200b ｃａｒｄ", ())

    found = encode_examples(MultiLabel(("a",)), tiny_tokenizer, [wide], 16)

    assert tokens(tiny_tokenizer, found.rows[0].ids) == ["[CLS]", "my", "card", "[SEP]"]


def test_a_long_text_is_cut(tiny_tokenizer: Tokenizer):
    found = encode_examples(Classify(("a", "b")), tiny_tokenizer, [Example("my " * 50, "a")], 16)

    assert len(found.rows[0].ids) == 16


def test_a_pairs_second_text_has_types_of_its_own(tiny_tokenizer: Tokenizer):
    task = TASKS["pair"](labels=("a", "b"))

    found = encode_examples(task, tiny_tokenizer, [Example("my card", "a", "the pin")], 16)

    assert found.rows[0].types == [0, 0, 0, 0, 1, 1, 1]


def test_a_words_target_stands_at_its_first_token(tiny_tokenizer: Tokenizer):
    row = Example("lost xyz pin", (Span(5, 12, "thing"),))

    found = encode_examples(Tag(("thing",)), tiny_tokenizer, [row], 16)

    assert tokens(tiny_tokenizer, found.rows[0].ids)[1:-1] == ["lost", "x", "##y", "##z", "pin"]
    assert found.rows[0].words == [1, 2, 5]
    assert found.rows[0].target == [0, 1, 2]


def long_tag(tokenizer: Tokenizer) -> tuple[str, Encoding]:
    text = " ".join(["my card is lost"] * 10)
    spans = tuple(Span(start, start + 4, "card") for start in range(3, len(text), 16))
    return text, encode_examples(Tag(("card",)), tokenizer, [Example(text, spans)], 16)


def test_a_long_text_loses_no_word_and_repeats_none(tiny_tokenizer: Tokenizer):
    text, found = long_tag(tiny_tokenizer)

    words = np.concatenate(found.words)

    assert [text[start:end] for start, end in words] == text.split()
    assert found.owners == [0] * len(found.rows)
    assert all(len(row.ids) <= 16 for row in found.rows)


def test_targets_of_windows_go_with_their_words(tiny_tokenizer: Tokenizer):
    text, found = long_tag(tiny_tokenizer)

    for row, words in zip(found.rows, found.words, strict=True):
        named = [text[start:end] for start, end in words]
        assert list(row.target) == [int(word == "card") for word in named]
        firsts = [tiny_tokenizer.id_to_token(row.ids[place]) for place in row.words]
        assert firsts == named


def test_a_text_without_words_is_a_row_without_decisions(tiny_tokenizer: Tokenizer):
    found = encode_examples(Tag(("card",)), tiny_tokenizer, [Example("\u200b", ())], 16)

    assert list(found.rows[0].words) == []
    assert found.rows[0].target == []
