"""Rows laid out for the network: special tokens, parts, padding.

Parts are the stretches on both sides of a random place in the middle half of a row. Half of the
``next`` rows get the second part of another row of the batch; half of the ``order`` rows are turned
round.

Shapes: B rows, T tokens, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from tokenizers import Tokenizer
from torch import Tensor

from takeroot.errors import ModelError
from takeroot.models.vocabulary import MASK_TOKENS
from takeroot.pretraining.rows import Row

Parts = tuple[Row, ...]


@dataclass(frozen=True)
class Frame:
    """A tokenizer's special tokens.

    Args:
        first: Ids before a row.
        between: Ids between two parts.
        last: Ids after a row.
        padding: Id that fills a batch.
        mask: Id that hides a token, or None.
        others: Ids of all tokens that are not special.
    """

    first: tuple[int, ...]
    between: tuple[int, ...]
    last: tuple[int, ...]
    padding: int
    mask: int | None
    others: Tensor

    @property
    def extra(self) -> int:
        """Special tokens of a row of two parts."""
        return len(self.first) + len(self.between) + len(self.last)


def frame_of(tokenizer: Tokenizer) -> Frame:
    """The special tokens of a tokenizer.

    Raises:
        ModelError: If it does not set one before and one after a text.
    """
    single, pair = tokenizer.encode("").ids, tokenizer.encode("", "").ids
    if len(single) != 2:
        raise ModelError(
            f"model: its tokenizer sets {len(single)} special tokens around a text, not 2"
        )
    added = tokenizer.get_added_tokens_decoder()
    special = {number for number, each in added.items() if each.special} | set(single)
    others = [number for number in tokenizer.get_vocab().values() if number not in special]
    masks = [number for number in map(tokenizer.token_to_id, MASK_TOKENS) if number is not None]
    paddings = [tokenizer.token_to_id(name) for name in ("[PAD]", "<pad>")]
    return Frame(
        (single[0],),
        tuple(pair[1:-1]),
        (single[1],),
        next((number for number in paddings if number is not None), 0),
        masks[0] if masks else None,
        torch.tensor(sorted(others)),
    )


@dataclass(frozen=True)
class Laid:
    """Rows laid out for the network.

    Args:
        ids: Token ids (B, T).
        mask: 1 for tokens (B, T).
        types: Token type ids (B, T).
        free: 1 for tokens that may be guessed (B, T).
        starts: True where a word begins (B, T).
    """

    ids: Tensor
    mask: Tensor
    types: Tensor
    free: Tensor
    starts: Tensor


def lay_out(rows: Sequence[Row], pairs: str, frame: Frame) -> tuple[Laid, Tensor]:
    """The rows as the network takes them, and the right answers about their parts.

    Args:
        rows: B of them.
        pairs: As in the recipe.
        frame: Special tokens.

    Returns:
        For ``next`` and ``order`` B rows of two parts, and 1 where the parts stand as they were
        (B,). For ``contrast`` 2B rows, first parts first, and the number of each one's other part.
        Else B rows, and nothing.
    """
    if pairs == "none":
        return pad([(row,) for row in rows], frame), torch.ones(0, dtype=torch.long)
    parts = [halves(row) for row in rows]
    if pairs == "contrast":
        apart = [(part,) for side in zip(*parts, strict=True) for part in side]
        return pad(apart, frame), torch.arange(len(rows))
    same = torch.rand(len(rows)) < 0.5
    if pairs == "next":
        same |= torch.tensor(len(rows) < 2)
        shift = int(torch.randint(1, max(len(rows), 2), ()))
        others = [
            (a, b) for (a, _), (_, b) in zip(parts, parts[shift:] + parts[:shift], strict=True)
        ]
    else:
        others = [(b, a) for a, b in parts]
    chosen = zip(same.tolist(), parts, others, strict=True)
    return pad([own if kept else other for kept, own, other in chosen], frame), same.long()


def halves(row: Row) -> tuple[Row, Row]:
    """The row on both sides of a random place in its middle half."""
    count = len(row.ids)
    low, high = count // 4, count - count // 4
    place = int(torch.randint(max(low, 1), max(high, 2), ()))
    starts = row.starts[place:].copy()
    starts[:1] = True
    return Row(row.ids[:place], row.starts[:place]), Row(row.ids[place:], starts)


def pad(rows: Sequence[Parts], frame: Frame) -> Laid:
    """Rows of one or two parts with their special tokens, padded to the longest."""
    laid = [_framed(parts, frame) for parts in rows]
    lengths = torch.tensor([len(columns[0]) for columns in laid])
    longest = int(lengths.max())
    ids, types, free, starts = (
        torch.tensor([each + [filler] * (longest - len(each)) for each in column])
        for column, filler in zip(zip(*laid, strict=True), (frame.padding, 0, 0, 1), strict=True)
    )
    mask = (torch.arange(longest)[None, :] < lengths[:, None]).long()
    return Laid(ids, mask, types, free, starts.bool())


def _framed(parts: Parts, frame: Frame) -> tuple[list[int], list[int], list[int], list[int]]:
    """Ids, types, whether they may be guessed, and whether a word begins there, of one row."""
    ids, types = list(frame.first), [0] * len(frame.first)
    free, starts = [0] * len(ids), [1] * len(ids)
    for number, part in enumerate(parts):
        edge = frame.last if number == len(parts) - 1 else frame.between
        ids += [*part.ids.tolist(), *edge]
        types += [number] * (len(part.ids) + len(edge))
        free += [1] * len(part.ids) + [0] * len(edge)
        starts += [*part.starts.astype(int).tolist(), *([1] * len(edge))]
    return ids, types, free, starts
