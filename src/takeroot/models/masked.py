"""A network that predicts hidden words: an encoder, its layer for tokens, and what may be proposed.

Shapes: B texts, T tokens, M hidden places, V vocabulary.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor, nn

from takeroot.errors import ModelError
from takeroot.models.config import read_config
from takeroot.models.load import Pretrained, find_folder, load, load_tokenizer, weight_files
from takeroot.models.token_head import TokenHead, family_of, load_head, missing_of_head, table_of
from takeroot.models.vocabulary import GOES_ON, HAN, MASK_TOKENS, SPACE

BLANK = "\u0120"  # what a blank is in a vocabulary of bytes
MOST_SCORES = 16_000_000  # M x V held at a time: 64 MB
_HAN = re.compile(HAN)


@dataclass(frozen=True)
class Masked:
    """A network that predicts hidden words.

    Args:
        encoder: Gives ``last_hidden_state``.
        head: Scores tokens.
        tokenizer: Without padding or truncation.
        mask: Id that hides a word.
        max_tokens: Of the longest text.
    """

    encoder: nn.Module
    head: TokenHead
    tokenizer: Tokenizer
    mask: int
    max_tokens: int

    @cached_property
    def proposals(self) -> Proposals:
        """What may stand in a hidden word's place."""
        return proposals_of(self.tokenizer)

    def likeliest(
        self, rows: Sequence[np.ndarray], places: np.ndarray, words: Sequence[str], most: int
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        """What could stand in each hidden place, and its chances (they add up to 1).

        Args:
            rows: Token ids of B texts with hidden places, special tokens included.
            places: Text and token of each hidden place (M, 2).
            words: What is hidden there; each can be replaced.
            most: Tokens given of a place.
        """
        longest = max(len(row) for row in rows)
        ids, mask = torch.zeros(2, len(rows), longest, dtype=torch.long)
        for number, row in enumerate(rows):
            ids[number, : len(row)] = torch.from_numpy(row)
            mask[number, : len(row)] = 1
        table, found = table_of(self.encoder), []
        step = max(1, MOST_SCORES // len(table))
        with torch.inference_mode():
            hidden = self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state
            vectors = hidden[places[:, 0], places[:, 1]]  # (M, H)
            for start in range(0, len(places), step):
                scores = self.head(vectors[start : start + step], table)
                for row, word in zip(scores, words[start : start + step], strict=True):
                    able, same = self.proposals.instead_of(word)
                    row[same] = -torch.inf
                    top = row[able].topk(min(most, len(able) - len(same)))
                    found.append((able[top.indices].numpy(), top.values.softmax(0).numpy()))
        return found


@dataclass(frozen=True)
class Proposals:
    """The tokens that may stand in a word's place, and how each is written.

    Args:
        written: Of each id.
        words: Ids of whole words, none of Han characters.
        han: Ids of tokens of so many Han characters, by their number.
        same: Ids by what they are written like, in lower case.
    """

    written: Mapping[int, str]
    words: Tensor
    han: Mapping[int, Tensor]
    same: Mapping[str, Tensor]

    def instead_of(self, word: str) -> tuple[Tensor, Tensor]:
        """Ids of the word's kind, and those among them that are the word itself.

        Args:
            word: As it stands in a text.
        """
        none = torch.tensor([], dtype=torch.long)
        if is_han(word):
            able = self.han.get(len(word), none)
        else:
            able = self.words if word.isalpha() and not _HAN.search(word) else none
        return able, self.same.get(word.casefold(), none)

    def can_replace(self, word: str) -> bool:
        """Whether there is anything to propose in a word's place."""
        able, same = self.instead_of(word)
        return len(able) > len(same)


def is_han(text: str) -> bool:
    """Whether a text is nothing but Han characters."""
    return _HAN.fullmatch(text) is not None


def proposals_of(tokenizer: Tokenizer) -> Proposals:
    """The whole words, and the Han tokens, of a tokenizer's vocabulary."""
    begins, special = _beginnings(tokenizer), set(tokenizer.get_added_tokens_decoder())
    written: dict[int, str] = {}
    words: list[int] = []
    han: dict[int, list[int]] = defaultdict(list)
    for token, number in sorted(tokenizer.get_vocab().items(), key=lambda pair: pair[1]):
        text = "" if number in special else _written(tokenizer, number)
        if is_han(text) and not token.startswith((GOES_ON, SPACE, BLANK)):
            han[len(text)].append(number)
        elif text.isalpha() and not _HAN.search(text) and begins(token):
            words.append(number)
        else:
            continue
        written[number] = text
    same: dict[str, list[int]] = defaultdict(list)
    for number, text in written.items():
        same[text.casefold()].append(number)
    return Proposals(
        written,
        torch.tensor(words, dtype=torch.long),
        {length: torch.tensor(ids) for length, ids in han.items()},
        {text: torch.tensor(ids) for text, ids in same.items()},
    )


def _written(tokenizer: Tokenizer, number: int) -> str:
    """What a token is in a text, without blanks around it."""
    return str(tokenizer.decode([number])).replace(SPACE, " ").strip()


def _beginnings(tokenizer: Tokenizer) -> Callable[[str], bool]:
    """Tells tokens that begin a word, and so can be one, from those that go on with it."""
    model = json.loads(tokenizer.to_str())["model"]
    if model["type"] in ("WordPiece", "WordLevel"):
        goes_on = model.get("continuing_subword_prefix", GOES_ON)
        return lambda token: not token.startswith(goes_on)
    return lambda token: token.startswith((SPACE, BLANK))


def check(key: str, name: str, *, allow_download: bool = False) -> None:
    """Refuse a model that cannot predict hidden words, before anything is read but its names.

    Args:
        key: Of the recipe, that names it.
        name: Of the model, as the recipe says it.
        allow_download: Whether a hub may be asked for it.

    Raises:
        ModelError: If it cannot be found, or lacks the layer or a mask token.
    """
    folder = find_folder(name, allow_download=allow_download)
    architecture, _ = read_config(folder)
    remedy = (
        "name a folder of a masked language model with fit.augment_model, such as takeroot "
        "pretrain writes with objective masked"
    )
    missing = missing_of_head(folder, family_of(architecture))
    if missing:
        raise ModelError(
            f"{key}: {name!r} has not kept the layer that predicts hidden words ({missing[0]!r} is "
            f"missing), which fit.augment: substitute needs; {remedy}"
        )
    if _mask_of(load_tokenizer(folder)) is None:
        raise ModelError(
            f"{key}: the tokenizer of {name!r} has none of {', '.join(MASK_TOKENS)} to hide words "
            f"with, which fit.augment: substitute needs; {remedy}"
        )


def sha256_of(name: str, *, allow_download: bool = False) -> str:
    """A hash of all that a model's predictions come from."""
    folder = find_folder(name, allow_download=allow_download)
    hasher = hashlib.sha256(load_tokenizer(folder).to_str().encode())
    for file in [folder / "config.json", *weight_files(folder)]:
        with file.open("rb") as stream:
            hasher.update(hashlib.file_digest(stream, "sha256").digest())
    return f"sha256 {hasher.hexdigest()}"


def load_masked(name: str, given: Pretrained | None, *, allow_download: bool = False) -> Masked:
    """The network that a recipe names.

    Args:
        name: As for ``load``.
        given: The encoder of a run; it is used where it is the same, and not changed.
        allow_download: Whether a hub may be asked for it.

    Raises:
        ModelError: If it cannot be loaded, or lacks the layer or a mask token.
    """
    found = given
    if found is None or found.name != name:
        found = load(name, allow_download=allow_download)
    family = family_of(found.architecture)
    head = load_head(found.encoder, found.config, found.folder, family)
    tokenizer = Tokenizer.from_str(found.tokenizer_json.decode())
    mask = _mask_of(tokenizer)
    assert mask is not None  # checked before anything was read
    return Masked(found.encoder, head, tokenizer, mask, found.max_tokens)


def _mask_of(tokenizer: Tokenizer) -> int | None:
    """Id of the mask token."""
    found = [number for number in map(tokenizer.token_to_id, MASK_TOKENS) if number is not None]
    return found[0] if found else None
