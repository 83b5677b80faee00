"""Tokenizers of all kinds read back what they were trained on, Chinese as well."""

from __future__ import annotations

import pytest
from tokenizers import Tokenizer

from takeroot.errors import RecipeError
from takeroot.models.vocabulary import KINDS, SPECIAL, train_tokenizer
from takeroot.recipe import TokenizerRecipe

TEXTS = [
    "我们研究飞行器的控制器设计",
    "飞行器 pcr 检测 2024",
    "the controller design of the plane",
] * 20


def trained(kind: str, vocabulary: int = 120) -> Tokenizer:
    recipe = TokenizerRecipe.model_validate({"kind": kind, "vocabulary": vocabulary})
    return train_tokenizer(recipe, lambda: iter([TEXTS]))


@pytest.mark.parametrize("kind", KINDS)
def test_special_tokens_come_first(kind: str) -> None:
    tokenizer = trained(kind)

    assert tuple(tokenizer.id_to_token(number) for number in range(5)) == SPECIAL
    assert tokenizer.encode("").ids == [2, 3]
    assert tokenizer.encode("", "").ids == [2, 3, 3]


@pytest.mark.parametrize("kind", ["bpe", "unigram"])
@pytest.mark.parametrize("text", TEXTS[:3])
def test_tokens_become_the_text_again(kind: str, text: str) -> None:
    tokenizer = trained(kind)

    assert tokenizer.decode(tokenizer.encode(text).ids) == text


def test_wordpiece_gives_the_text_but_for_blanks() -> None:
    tokenizer = trained("wordpiece")

    for text in TEXTS[:3]:
        again = tokenizer.decode(tokenizer.encode(text).ids)
        assert again.replace(" ", "") == text.replace(" ", "")


def test_wordpiece_makes_a_token_of_every_han_character() -> None:
    assert trained("wordpiece").encode("飞行器", add_special_tokens=False).tokens == list("飞行器")


@pytest.mark.parametrize("kind", ["bpe", "unigram"])
def test_words_of_several_han_characters_become_tokens(kind: str) -> None:
    assert "飞行器" in trained(kind).get_vocab()


@pytest.mark.parametrize("kind", KINDS)
def test_wide_forms_are_read_as_plain_ones(kind: str) -> None:
    tokenizer = trained(kind)

    assert tokenizer.encode("ＰＣＲ").ids == tokenizer.encode("pcr").ids


@pytest.mark.parametrize("kind", ["wordpiece", "bpe"])
def test_the_same_texts_give_the_same_tokenizer(kind: str) -> None:
    assert trained(kind).to_str() == trained(kind).to_str()


def test_a_vocabulary_smaller_than_the_alphabet_is_refused() -> None:
    with pytest.raises(RecipeError, match=r"tokenizer\.vocabulary: 32 is too small"):
        trained("unigram", 32)
