"""Tokenised documents in files that are mapped into memory: only what is read takes room.

Two files hold one entry a token: its id, and whether a word begins there (for whole-word masking;
Cui et al. 2019, arXiv:1906.08101). A word is what the tokenizer's pre-tokenizer made one. Where
writing has no blanks, no segmenter is at hand: with wordpiece a Han character is a word; with bpe
and unigram it is a token, which may hold several characters.

Shapes: N documents, S tokens in all.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tokenizers import Encoding, Tokenizer

from takeroot.bundle.tokens import stands_alone

SMALL = 2**16  # ids below fit into two bytes


@dataclass(frozen=True)
class TokenFile:
    """Documents as tokens, without special ones.

    Args:
        ids: Token ids (S,), on disk.
        starts: 1 where a word begins (S,), on disk.
        ends: Where each document ends (N,); the next begins there.
        unknown: How many tokens are unknown ones.
    """

    ids: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    unknown: int


def write_tokens(tokenizer: Tokenizer, batches: Iterable[list[str]], path: Path) -> TokenFile:
    """Tokenise documents, batch by batch, to ``path`` with the suffixes ``.ids`` and ``.starts``.

    Args:
        tokenizer: Without padding and truncation.
        batches: The documents.
        path: Without a suffix.
    """
    kind = np.uint16 if max(tokenizer.get_vocab().values()) < SMALL else np.uint32
    files = path.with_suffix(".ids"), path.with_suffix(".starts")
    strange = unknown_id(tokenizer)
    lengths: list[np.ndarray] = []
    unknown = 0
    with files[0].open("wb") as ids, files[1].open("wb") as starts:
        for batch in batches:
            found = tokenizer.encode_batch(batch, add_special_tokens=False)
            numbers = [np.array(each.ids, kind) for each in found]
            lengths.append(np.array([len(each) for each in numbers], np.int64))
            joined = np.concatenate(numbers)
            unknown += int((joined == strange).sum()) if strange is not None else 0
            ids.write(joined.tobytes())
            for each, text in zip(found, batch, strict=True):
                starts.write(word_starts(each, text).tobytes())
    ends = np.cumsum(np.concatenate(lengths)) if lengths else np.zeros(0, np.int64)
    return TokenFile(_map(files[0], kind), _map(files[1], np.uint8), ends, unknown)


def word_starts(encoding: Encoding, text: str) -> np.ndarray:
    """1 where a word begins, one entry a token."""
    starts = np.zeros(len(encoding.ids), np.uint8)
    last: int | None = -1
    tokens = zip(encoding.word_ids, encoding.offsets, strict=True)
    for place, (word, (start, end)) in enumerate(tokens):
        shown = text[start:end].lstrip()
        starts[place] = word != last or word is None or (shown != "" and stands_alone(shown[0]))
        last = word
    return starts


def unknown_id(tokenizer: Tokenizer) -> int | None:
    """The id of the token for what the tokenizer does not know, if it has one."""
    for name in ("[UNK]", "<unk>"):
        number = tokenizer.token_to_id(name)
        if number is not None:
            return int(number)
    return None


def _map(path: Path, kind: type[np.generic]) -> np.ndarray:
    """The file's numbers, read when they are used."""
    if path.stat().st_size == 0:  # cannot be mapped
        return np.zeros(0, kind)
    return np.memmap(path, kind, mode="r")
