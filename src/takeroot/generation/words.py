"""The tokens of learned words, which ``prompt`` puts before every input of a model that writes.

They stand behind all ids the network knows, so that what it can answer stays what it was. A
vocabulary may have fewer tokens than the network; ids between the two get tokens that nobody uses.
"""

from __future__ import annotations

from dataclasses import replace

from tokenizers import Tokenizer

from takeroot.bundle.spec import Generation
from takeroot.errors import ModelError
from takeroot.models.generator import PretrainedGenerator

WORD, UNUSED = "<|learned-{}|>", "<|unused-{}|>"


def with_words(pretrained: PretrainedGenerator, count: int) -> PretrainedGenerator:
    """The model, its tokenizer with tokens for ``count`` learned words; the network is the same.

    Raises:
        ModelError: If its tokenizer has such tokens already.
    """
    if not count:
        return pretrained
    tokenizer = Tokenizer.from_str(pretrained.tokenizer.to_str())
    first = int(pretrained.config.values["vocab_size"])
    known = max(tokenizer.get_vocab(with_added_tokens=True).values()) + 1
    names = _names(count)
    tokenizer.add_special_tokens([UNUSED.format(number) for number in range(known, first)])
    tokenizer.add_special_tokens(list(names))
    if [tokenizer.token_to_id(name) for name in names] != list(range(first, first + count)):
        raise ModelError(
            f"fit.method: prompt: the tokenizer of {pretrained.name!r} cannot be given {count} "
            f"tokens from id {first} on; it has some of their names, or ids it does not use"
        )
    return replace(pretrained, tokenizer=tokenizer)


def asked_with(how: Generation, count: int) -> Generation:
    """How the model is asked with its learned words before all else."""
    return how.model_copy(update={"before": (*_names(count), *how.before)})


def asked_without(how: Generation) -> Generation:
    """How the model would be asked without them."""
    return how.model_copy(update={"before": how.before[words_in(how) :]})


def words_in(how: Generation) -> int:
    """How many learned words a model is asked with."""
    own = set(_names(len(how.before)))
    return sum(name in own for name in how.before)


def _names(count: int) -> tuple[str, ...]:
    return tuple(WORD.format(number) for number in range(count))
