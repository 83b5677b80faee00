"""Learned words are tokens that are read and never written, as the network has learnt them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from folders import CAUSAL, FAMILIES

from takeroot.bundle.prompts import Prompts
from takeroot.bundle.spec import Generation
from takeroot.errors import ModelError
from takeroot.generation.engine import Engine
from takeroot.generation.export import convert
from takeroot.generation.objective import Answers, Row, Writer
from takeroot.generation.words import asked_with, asked_without, with_words, words_in
from takeroot.models.adapters.attach import attach, chosen
from takeroot.models.adapters.words import reader

Build = Callable[..., Any]
WORDS = 3
HOW = Generation(end=("<|im_end|>",), before=("<unk>",))
families = pytest.mark.parametrize("family", [name for name in FAMILIES if name != "marian"])


def worded(base: Any, scale: float = 1.0) -> Any:
    """A model with random learned words, merged."""
    attached = attach(chosen("prompt", {"tokens": WORDS}), base.network)  # type: ignore[arg-type]
    with torch.no_grad():
        reader(base.network).embed_tokens.words.copy_(scale * base.network.lm_head.weight[5:8])
    attached.merge()
    return with_words(base, WORDS)


def rows_of(made: Any) -> list[Row]:
    """Rows of the model's tokens behind its learned words."""
    first, end = made.config.values["vocab_size"], made.config.ends[0]
    words = list(range(first, first + WORDS))
    return [Row([*words, 5, 6, 7, 8], [9, 10, end]), Row([*words, 8, 9], [5, 6, 7, end])]


def engine_of(made: Any, files: dict[str, bytes]) -> Engine:
    causal = made.config.family.causal
    return Engine(files, made.tokenizer, causal=causal, ends=made.tokens(made.config.ends))


@families
def test_fp32_gives_the_networks_probabilities_behind_the_words(
    family: str, pretrained: Build
) -> None:
    made = worded(pretrained(family))
    rows = rows_of(made)

    found = engine_of(made, convert(made.network, made, "fp32")).judge(rows)

    wanted = Answers(made.config.start).judge(Writer(made.network), rows)
    assert np.allclose(found.losses, wanted.losses, rtol=1e-3, atol=1e-3)


@families
@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_words_are_never_written_however_likely_their_vectors_are(
    precision: str, family: str, pretrained: Build
) -> None:
    made = worded(pretrained(family), scale=100.0)  # a tied output layer would prefer them

    answers = engine_of(made, convert(made.network, made, precision)).answers(rows_of(made), 12)

    assert max(number for answer in answers for number in answer) < made.config.values["vocab_size"]


def test_a_tied_table_is_kept_once(pretrained: Build) -> None:
    base = pretrained("qwen2")
    before = len(convert(base.network, base, "fp32")["model.bin"])

    after = len(convert(base.network, worded(base), "fp32")["model.bin"])

    rows, width = base.network.lm_head.weight.shape
    assert after - before < 4 * (WORDS * width + rows + WORDS) + 200  # new rows, biases, names


@families
def test_a_models_tokenizer_has_them_behind_all_ids_of_the_network(
    family: str, pretrained: Build
) -> None:
    base = pretrained(family)

    made = with_words(base, WORDS)

    how = asked_with(Generation(end=base.tokens(base.config.ends)), WORDS)
    found = Prompts(made.tokenizer, how, 100).encode("hello").ids
    first = base.config.values["vocab_size"]
    assert found[:WORDS] == list(range(first, first + WORDS))
    assert found[WORDS:] == Prompts(base.tokenizer, asked_without(how), 100).encode("hello").ids


def test_what_people_write_never_becomes_a_learned_word(pretrained: Build) -> None:
    made = with_words(pretrained("llama"), WORDS)
    how = asked_with(Generation(end=("<|im_end|>",)), WORDS)

    found = Prompts(made.tokenizer, how, 100).encode("hello <|learned-1|>").ids

    assert max(found[WORDS:]) < made.config.values["vocab_size"]


def test_words_stand_before_all_else_and_can_be_taken_away() -> None:
    how = asked_with(HOW, 2)

    assert how.before == ("<|learned-0|>", "<|learned-1|>", "<unk>")
    assert (words_in(how), words_in(HOW)) == (2, 0)
    assert asked_without(how) == HOW


def test_a_tokenizer_that_has_such_tokens_is_refused(pretrained: Build) -> None:
    base = pretrained("llama")
    base.tokenizer.add_special_tokens(["<|other|>", "<|learned-0|>"])

    with pytest.raises(ModelError, match=r"fit.method: prompt: the tokenizer of .* some of their"):
        with_words(base, WORDS)


def test_every_family_but_marian_takes_them(pretrained: Build) -> None:
    taken = {name for name in FAMILIES if chosen("prompt", {}).fits(pretrained(name).network)}  # type: ignore[union-attr]

    assert taken == {*CAUSAL, "t5", "gated-t5", "bart"}
