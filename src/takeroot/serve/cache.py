"""Answers kept by text, so that a text that is asked again costs a look-up and no computing.

There is none unless a model is given one, and then each bundle that is open has its own: one that
was swapped never answers from the old one's. The least recently used answer goes first when there
are too many of them or they take too much memory. Texts are not kept: the key of an answer is the
BLAKE2b hash of its text, 128 bits under a secret of this process, so that nobody can look for two
texts with one key.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from dataclasses import dataclass
from hashlib import blake2b

from takeroot.serve.wire import Form, Input

KEY_BYTES = 16
ENTRY_BYTES = 240  # of Python's objects around an answer and of its place in the table, measured


@dataclass(frozen=True, slots=True)
class Kept:
    """A text's answer.

    Args:
        answer: In JSON or MessagePack, by the form it was asked in.
        tokens: Tokens that were read.
        abstained: Whether it was left without an answer.
    """

    answer: bytes
    tokens: int
    abstained: bool


class Cache:
    """The answers of one bundle.

    Args:
        entries: Most answers kept.
        size_bytes: Most memory they take.
    """

    def __init__(self, entries: int, size_bytes: int) -> None:
        self.size_bytes = 0
        self._most_entries, self._most_bytes = entries, size_bytes
        self._kept: OrderedDict[bytes, Kept] = OrderedDict()
        self._secret = secrets.token_bytes(32)

    def __len__(self) -> int:
        return len(self._kept)

    def key(self, item: Input, form: Form, top_k: int | None) -> bytes:
        """What an answer is kept under: two texts, pairs, forms or ``top_k`` never share one."""
        if isinstance(item, str):
            parts = (f"{form} {top_k} text ", item)
        else:
            parts = (f"{form} {top_k} {len(item[0])} ", "".join(item))
        data = "".join(parts).encode()
        return blake2b(data, digest_size=KEY_BYTES, key=self._secret).digest()

    def get(self, key: bytes) -> Kept | None:
        """The answer, which counts as used now; None where there is none."""
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found

    def put(self, key: bytes, kept: Kept) -> None:
        """Keep an answer; one that is larger than everything may be is not kept."""
        self._drop(key)
        if _size(kept) > self._most_bytes:
            return
        self._kept[key] = kept
        self.size_bytes += _size(kept)
        while len(self._kept) > self._most_entries or self.size_bytes > self._most_bytes:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: bytes) -> None:
        """Forget an answer, if there is one."""
        old = self._kept.pop(key, None)
        if old is not None:
            self.size_bytes -= _size(old)


def _size(kept: Kept) -> int:
    """Bytes of memory an answer takes, with all that belongs to it."""
    return ENTRY_BYTES + len(kept.answer)
