"""From prompts, chats and sources to token ids, the same in training and in use.

What people write never becomes a special token. A prompt is encoded as one text, as the model's
chat template would have been; only where that finds more special tokens than the frames have (a
user wrote ``<|im_end|>``) is it encoded piece by piece, the user's as plain text.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from takeroot.bundle.chat import Chat, Piece, Turn, pieces
from takeroot.bundle.spec import Generation
from takeroot.bundle.text import scrub
from takeroot.errors import BundleError, DataError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_CHARACTERS = 100  # a token this long is rare: a longer text is cut to this many a token first


@dataclass(frozen=True, slots=True)
class Encoded:
    """What the model is given.

    Args:
        ids: Token ids.
        truncated: Whether the input was longer than the model reads, and cut.
    """

    ids: list[int]
    truncated: bool


class Prompts:
    """Encodes inputs of one model. Safe to use from several threads.

    Args:
        tokenizer: Without padding and truncation.
        how: How texts are written; with ``frames`` inputs may be chats.
        max_tokens: Most tokens of an input, all that stands around it included. Of one that is
            longer, the longest text is cut at its end.

    Raises:
        BundleError: If a token of ``how`` is not in the vocabulary.
    """

    def __init__(self, tokenizer: Tokenizer, how: Generation, max_tokens: int) -> None:
        self._tokenizer, self._how, self._most = tokenizer, how, max_tokens
        self._plain = type(tokenizer).from_str(tokenizer.to_str())
        self._plain.encode_special_tokens = True
        self.before, self.after = self._known(how.before), self._known(how.after)
        self.end = self._known(how.end)
        self._controls = self._control_ids()

    def encode(self, item: str | Chat) -> Encoded:
        """The token ids of a prompt, chat or source.

        Raises:
            DataError: If it is a chat the model cannot answer.
        """
        whole = pieces(self._how.frames, item)
        made = [Piece(scrub(each.text[: self._most * _CHARACTERS]), each.ours) for each in whole]
        truncated = any(len(a.text) < len(b.text) for a, b in zip(made, whole, strict=True))
        ids = self._ids(made)
        while len(ids) > self._most:
            truncated = True
            made = self._shorter(made, len(ids) - self._most)
            ids = self._ids(made)
        return Encoded(ids or [0], truncated)

    def answer(self, text: str) -> list[int]:
        """The token ids of an answer as it is learnt: the text as plain text, and the end."""
        return [*self._read(text), self.end[0]]

    def _ids(self, made: Sequence[Piece]) -> list[int]:
        """The token ids of the pieces, of which no text of others gives a special token."""
        if self._how.frames is None:
            ids = self._read("".join(each.text for each in made))
            return [*self.before, *ids, *self.after]
        whole = self._encode("".join(each.text for each in made))
        if self._count(whole) == self._count(self._encode("".join(_ours(made)))):
            return [*self.before, *whole]
        parts = [self._encode(each.text) if each.ours else self._read(each.text) for each in made]
        return [*self.before, *(number for part in parts for number in part)]

    def _read(self, text: str) -> list[int]:
        """The token ids of somebody's text."""
        ids = self._plain.encode(scrub(text), add_special_tokens=False).ids
        # Some vocabularies (Unigram) have </s> as an ordinary piece too: it is left out.
        return [number for number in ids if number not in self._controls]

    def _encode(self, text: str) -> list[int]:
        """The token ids of a text whose special tokens are meant."""
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    def _count(self, ids: Iterable[int]) -> int:
        """How many control tokens there are."""
        return sum(number in self._controls for number in ids)

    def _shorter(self, made: Sequence[Piece], excess: int) -> list[Piece]:
        """The pieces with the longest text of others cut by ``excess`` tokens or more."""
        texts = [number for number, each in enumerate(made) if not each.ours and each.text]
        if not texts:
            raise DataError(
                f"what stands around a text alone is longer than max_tokens, {self._most}"
            )
        longest = max(texts, key=lambda number: len(made[number].text))
        text = made[longest].text
        offsets = self._plain.encode(text, add_special_tokens=False).offsets
        end = min(offsets[-excess][0] if excess <= len(offsets) else 0, len(text) - 1)
        return [*made[:longest], Piece(text[:end], ours=False), *made[longest + 1 :]]

    def _known(self, names: Sequence[str]) -> list[int]:
        """The ids of tokens."""
        ids = []
        for name in names:
            number = self._tokenizer.token_to_id(name)
            if number is None:
                raise BundleError(f"generation: {name!r} is not a token of tokenizer.json")
            ids.append(number)
        return ids

    def _control_ids(self) -> frozenset[int]:
        """Special tokens, and added ones that the frames are made with."""
        frames = self._how.frames
        around = "" if frames is None else "".join(_ours(pieces(frames, _one_of_each(frames))))
        added = self._tokenizer.get_added_tokens_decoder().items()
        ids = {
            number
            for number, token in added
            if token.special or (token.content.strip() and token.content in around)
        }
        return frozenset((ids | set(self.end)) - self._unknown())

    def _unknown(self) -> set[int | None]:
        """What the vocabulary has for characters it does not know: no control, though special."""
        model = json.loads(self._tokenizer.to_str())["model"]
        return {model.get("unk_id"), self._tokenizer.token_to_id(model.get("unk_token") or "")}


def _ours(made: Sequence[Piece]) -> list[str]:
    """The texts of the frames."""
    return [each.text for each in made if each.ours]


def _one_of_each(frames: object) -> Chat:
    """A chat in which every frame stands."""
    roles: list[Turn] = [Turn("user", ""), Turn("assistant", ""), Turn("user", "")]
    if getattr(frames, "system", None) is not None:
        roles.insert(0, Turn("system", ""))
    return tuple(roles)
