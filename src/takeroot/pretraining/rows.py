"""Cut tokenised documents into rows that fit the network.

A long document is cut into rows of about equal length; a short one is a row of its own, as batches
are made of rows of like length anyway. What is kept in memory is where each row begins and ends.

Shapes: N rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np

from takeroot.pretraining.token_file import TokenFile


@dataclass(frozen=True)
class Row:
    """A document, or a stretch of one.

    Args:
        ids: Token ids without special ones (T,).
        starts: True where a word begins (T,).
    """

    ids: np.ndarray
    starts: np.ndarray


class Rows(Sequence[Row]):
    """Rows of a token file, read when they are asked for.

    Args:
        file: The tokens.
        spans: Where each row begins and ends (N, 2).
    """

    def __init__(self, file: TokenFile, spans: np.ndarray) -> None:
        self.file = file
        self._spans = spans

    def __len__(self) -> int:
        return len(self._spans)

    @overload
    def __getitem__(self, place: int) -> Row: ...
    @overload
    def __getitem__(self, place: slice) -> Rows: ...
    def __getitem__(self, place: int | slice) -> Row | Rows:
        """A row, or some of them."""
        if isinstance(place, slice):
            return Rows(self.file, self._spans[place])
        start, end = self._spans[place]
        starts = self.file.starts[start:end].astype(bool)
        starts[:1] = True  # a row may begin within a word
        return Row(self.file.ids[start:end].astype(np.int64), starts)

    def __iter__(self) -> Iterator[Row]:
        return (self[place] for place in range(len(self)))

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each row (N,)."""
        return np.asarray(self._spans[:, 1] - self._spans[:, 0])

    def some(self, most: int) -> Rows:
        """At most so many of the rows, taken evenly."""
        if len(self) <= most:
            return self
        places = np.linspace(0, len(self) - 1, most).round().astype(np.int64)
        return Rows(self.file, self._spans[places])


def cut(file: TokenFile, most: int, fewest: int) -> Rows:
    """The rows of a token file.

    Args:
        file: The tokens.
        most: Tokens of a row, special ones not counted.
        fewest: Shorter rows are left out: there would be nothing to learn from.
    """
    ends = file.ends
    begins = np.concatenate([np.zeros(1, np.int64), ends])[:-1]
    pieces = np.maximum(-(-(ends - begins) // most), 1)  # of each document, rounded up
    owner = np.repeat(np.arange(len(ends)), pieces)
    number = np.arange(len(owner)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    size = (ends - begins)[owner]
    first = begins[owner] + size * number // pieces[owner]
    last = begins[owner] + size * (number + 1) // pieces[owner]
    spans = np.stack([first, last], axis=1)
    return Rows(file, spans[spans[:, 1] - spans[:, 0] >= fewest])
