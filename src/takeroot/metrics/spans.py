"""Scores of entities: an entity counts only where start, end and label all agree.

This is the strict entity-level score of CoNLL-2003 (Tjong Kim Sang and De Meulder 2003,
arXiv:cs/0306050), as seqeval computes it, on character offsets instead of tags.

Shapes: N rows, K labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from takeroot.metrics.counts import Counts

Triple = tuple[int, int, str]


class Stretch(Protocol):
    """Anything with offsets and a label: a gold span or a predicted entity."""

    @property
    def start(self) -> int:
        """Offset of the first character."""

    @property
    def end(self) -> int:
        """Offset after the last character."""

    @property
    def label(self) -> str:
        """The entity's type."""


def triples(stretches: Sequence[Stretch]) -> frozenset[Triple]:
    """What identifies each entity of a row; one said twice counts once."""
    return frozenset((each.start, each.end, each.label) for each in stretches)


def entity_counts(
    gold: Sequence[frozenset[Triple]], predicted: Sequence[frozenset[Triple]], labels: Sequence[str]
) -> Counts:
    """Hits, predictions and gold entities of each row and label (N, K).

    Sum over rows for the counts of each label, and over both (``Counts.micro``) for entity F1.
    """
    index = {label: position for position, label in enumerate(labels)}
    tables = np.zeros((3, len(gold), len(labels)), np.int64)
    for row, (wanted, found) in enumerate(zip(gold, predicted, strict=True)):
        for table, part in zip(tables, (wanted & found, found, wanted), strict=True):
            for _, _, label in part:
                table[row, index[label]] += 1
    return Counts(*tables)


def entity_f1(gold: Sequence[frozenset[Triple]], predicted: Sequence[frozenset[Triple]]) -> float:
    """F1 over all entities of all rows."""
    hits = sum(len(wanted & found) for wanted, found in zip(gold, predicted, strict=True))
    return 2 * hits / max(sum(map(len, gold)) + sum(map(len, predicted)), 1)
