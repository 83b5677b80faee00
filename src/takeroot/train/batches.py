"""Length-bucketed batches: texts of like length together, so that little is padded.

Shapes: B rows a batch, T tokens of its longest row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from takeroot.tasks import Encoded

BUCKETS = 32  # batches sorted by length at a time: more saves padding, fewer shuffle better


@dataclass(frozen=True)
class Batch:
    """Rows padded to the longest of them, each tensor (B, T)."""

    ids: Tensor
    mask: Tensor
    types: Tensor


def shuffled(lengths: np.ndarray, size: int, generator: np.random.Generator) -> list[np.ndarray]:
    """Row numbers of each batch of one epoch, in random order.

    Rows are shuffled, sorted by length within stretches of 32 batches, cut, and the batches
    shuffled again.
    """
    rows = generator.permutation(len(lengths))
    batches = []
    for start in range(0, len(rows), size * BUCKETS):
        stretch = rows[start : start + size * BUCKETS]
        stretch = stretch[np.argsort(lengths[stretch], kind="stable")]
        batches += [stretch[k : k + size] for k in range(0, len(stretch), size)]
    return [batches[k] for k in generator.permutation(len(batches))]


def by_length(lengths: np.ndarray, tokens: int) -> list[np.ndarray]:
    """Row numbers sorted by length, cut into batches of at most ``tokens`` padded tokens."""
    order = np.argsort(lengths, kind="stable")
    batches, start = [], 0
    for end in range(1, len(order) + 1):
        if end == len(order) or (end - start + 1) * lengths[order[end]] > tokens:
            batches.append(order[start:end])
            start = end
    return batches


def collate(rows: Sequence[Encoded]) -> Batch:
    """One padded batch."""
    longest = max(len(row.ids) for row in rows)
    ids = np.zeros((len(rows), longest), np.int64)
    mask = np.zeros((len(rows), longest), np.int64)
    types = np.zeros((len(rows), longest), np.int64)
    for index, row in enumerate(rows):
        ids[index, : len(row.ids)] = row.ids
        types[index, : len(row.ids)] = row.types
        mask[index, : len(row.ids)] = 1
    return Batch(torch.from_numpy(ids), torch.from_numpy(mask), torch.from_numpy(types))
