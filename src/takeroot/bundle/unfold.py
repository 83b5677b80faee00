"""Text from tokens that come one by one, in pieces that are whole characters.

A byte-level token may hold a part of a character; it is held back until the rest is there. The
pieces, put together, are the text of all tokens decoded at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenizers import Tokenizer

UNFINISHED = "\ufffd"  # what an incomplete character decodes to


class Unfolding:
    """One text while it is written.

    Args:
        tokenizer: Decodes.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._ids: list[int] = []
        self._given = 0
        self.text = ""

    @property
    def count(self) -> int:
        """Tokens so far."""
        return len(self._ids)

    def ids_of(self, tokens: Sequence[str]) -> list[int]:
        """The ids of tokens."""
        found = [self._tokenizer.token_to_id(token) for token in tokens]
        return [number for number in found if number is not None]

    def add(self, token: int) -> str:
        """What the next token adds to the text; nothing while a character is incomplete."""
        self._ids.append(token)
        # All tokens are decoded again: what a token means may depend on those before it, and some
        # hundred cost less than a tenth of the step that made the next one.
        self.text = self._tokenizer.decode(self._ids, skip_special_tokens=True)
        return self._since(len(self.text.rstrip(UNFINISHED)))

    def rest(self) -> str:
        """What was held back, when nothing more comes."""
        return self._since(len(self.text))

    def _since(self, end: int) -> str:
        """The text up to ``end`` that was not given yet."""
        start, self._given = self._given, max(self._given, end)
        return self.text[start:end]
