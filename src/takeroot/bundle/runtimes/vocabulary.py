"""The vocabulary CTranslate2 has written beside a model, held against the tokenizer's."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from takeroot.errors import BundleError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

PADDING = "<pad>"  # Marian's last token, which the converter takes out: it is never written
VOCABULARIES = ("vocabulary.json", "shared_vocabulary.json")  # of a decoder, of both halves


def check_vocabulary(data: bytes, where: str, tokenizer: Tokenizer) -> None:
    """Refuse a vocabulary in which a token has another number than in the tokenizer.

    Raises:
        BundleError: If it is no list of tokens, or differs.
    """
    try:
        tokens = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{where}: not JSON: {error}") from error
    if not isinstance(tokens, list) or not all(isinstance(token, str) for token in tokens):
        raise BundleError(f"{where}: must be a list of tokens")
    number = _first_difference(tokens, tokenizer)
    if number is not None:
        found = tokens[number] if number < len(tokens) else None
        wanted = tokenizer.id_to_token(number)
        raise BundleError(
            f"{where}: token {number} is {found!r}, in tokenizer.json it is {wanted!r}"
        )


def _first_difference(tokens: Sequence[str], tokenizer: Tokenizer) -> int | None:
    """The first number under which the two differ; the model may have more at its end."""
    for token, number in tokenizer.get_vocab(with_added_tokens=True).items():
        beyond = number == len(tokens) and token == PADDING
        if not beyond and (number >= len(tokens) or tokens[number] != token):
            return number
    return None
