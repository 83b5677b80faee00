"""Put several texts end to end into one row, so that nothing is padded and nothing sorted.

The graph masks attention to equal segments and positions restart at each text, so a text's outputs
do not depend on its neighbours (Krell et al. 2021, arXiv:2107.02027, section 3.2.2). All token
arrays are made once for a whole list of texts; a pack is a slice of them.

Shapes: N texts (of a list or a pack), T tokens of a list, S tokens of a pack.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np


@dataclass(frozen=True)
class Flat:
    """The tokens of N texts end to end.

    Args:
        ids: Token ids (T,), int64, as all arrays here.
        positions: Position ids (T,), restarting at each text.
        types: Token type ids (T,).
        segments: Number of the text each token belongs to (T,).
        starts: Where each text starts, and the end of the last (N + 1,).
    """

    ids: np.ndarray
    positions: np.ndarray
    types: np.ndarray
    segments: np.ndarray
    starts: np.ndarray


def flatten(
    ids: Sequence[Sequence[int]],
    types: Sequence[Sequence[int]] | None = None,
    position_offset: int = 0,
) -> Flat:
    """The texts end to end.

    Args:
        ids: Token ids of each text, one or more each.
        types: Token type ids of each text; zeros when None.
        position_offset: Position id of a text's first token.
    """
    lengths = np.fromiter(map(len, ids), np.int64, len(ids))
    starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
    total = int(starts[-1])
    joined = np.fromiter(chain.from_iterable(ids), np.int64, total)
    kinds = np.zeros(total, np.int64)
    if types is not None:
        kinds = np.fromiter(chain.from_iterable(types), np.int64, total)
    segments = np.repeat(np.arange(len(ids)), lengths)
    positions = np.arange(total) - starts[segments] + position_offset
    return Flat(joined, positions, kinds, segments, starts)


def plan(starts: np.ndarray, pack_tokens: int) -> list[tuple[int, int]]:
    """First and after-last text of each pack, filled in order of arrival.

    Args:
        starts: Where each text starts, and the end of the last (N + 1,).
        pack_tokens: Most tokens of a pack, unless one text alone is longer.
    """
    packs, first, count = [], 0, len(starts) - 1
    while first < count:
        fits = int(np.searchsorted(starts, starts[first] + pack_tokens, side="right")) - 1
        last = max(fits, first + 1)
        packs.append((first, last))
        first = last
    return packs


def pack(
    flat: Flat, first: int = 0, last: int | None = None, *, pooled: bool = True
) -> dict[str, np.ndarray]:
    """The graph's inputs for texts ``first`` up to ``last``.

    Args:
        flat: Their tokens.
        first: Number of the pack's first text.
        last: Number after its last text; None for all.
        pooled: Whether the graph averages tokens (it then takes ``pool``).

    Returns:
        ``input_ids``, ``position_ids``, ``token_type_ids``, ``segments``, each (1, S) int64, and
        ``pool`` (N, S) float32. A graph without token types is fed without them.
    """
    last = len(flat.starts) - 1 if last is None else last
    start, end = int(flat.starts[first]), int(flat.starts[last])
    segments = flat.segments[start:end] - first  # (S,)
    feeds = {
        "input_ids": flat.ids[None, start:end],
        "position_ids": flat.positions[None, start:end],
        "token_type_ids": flat.types[None, start:end],
        "segments": segments[None],
    }
    if pooled:
        lengths = np.diff(flat.starts[first : last + 1])
        pool = np.zeros((last - first, end - start), np.float32)
        pool[segments, np.arange(end - start)] = (1 / lengths)[segments]
        feeds["pool"] = pool
    return feeds
