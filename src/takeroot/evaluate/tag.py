"""Entities: right only where start, end and label agree.

A mistake is told by what went wrong: a wrong label on the right stretch or a wrong stretch pairs
two labels; an entity that overlaps nothing gold stands alone, as does a gold one that was missed.

Shapes: N rows, C distinct rows, B weightings, K labels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from takeroot.bundle.answer import Answer
from takeroot.evaluate.sheet import Mistake, Sheet
from takeroot.metrics.counts import Counts, ratio
from takeroot.metrics.spans import Stretch, entity_counts, triples


def tag_sheet(
    labels: Sequence[str],
    answers: Sequence[Answer],
    gold: Sequence[Sequence[Stretch]],
    texts: Sequence[str],
) -> Sheet:
    """The sheet of entity answers; every gold label must be one of ``labels``."""
    wanted = [triples(row) for row in gold]
    found = [triples(answer.entities) for answer in answers]
    table = entity_counts(wanted, found, labels)  # (N, K) each
    parts = (table.hits, table.predicted, table.gold)
    correct = np.array([one == other for one, other in zip(wanted, found, strict=True)])
    abstained = np.array([answer.abstained for answer in answers])
    entities = [(entity, row) for row, answer in enumerate(answers) for entity in answer.entities]
    hits = [(e.start, e.end, e.label) in wanted[row] for e, row in entities]
    return Sheet(
        metric="entity_f1",
        rows=np.column_stack([*parts, correct, abstained]).astype(np.int64),
        score=_score,
        counts=Counts(*(part.sum(axis=0) for part in parts)),
        confidence=np.array([answer.confidence for answer in answers]),
        correct=correct,
        abstained=abstained,
        decision_confidence=np.array([entity.confidence for entity, _ in entities]),
        decision_correct=np.array(hits, bool),
        mistakes=tuple(_mistakes(answers, gold, texts)),
        extras={"entities": float(table.gold.sum())},
    )


def _score(rows: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
    """The scores by name."""
    correct, answered = rows[:, -2] == 1, rows[:, -1] == 0
    hits, predicted, gold = np.split(weights @ rows[:, :-2], 3, axis=1)
    counts = Counts(hits, predicted, gold)
    micro, total = counts.micro, weights.sum(axis=1)
    return {
        "entity_f1": micro.f1[:, 0],
        "precision": micro.precision[:, 0],
        "recall": micro.recall[:, 0],
        "macro_f1": ratio((counts.f1 * counts.seen).sum(axis=1), counts.seen.sum(axis=1)),
        "text_accuracy": ratio(weights @ correct, total),
        "coverage": ratio(weights @ answered, total),
        "selective_accuracy": ratio(weights @ (correct & answered), weights @ answered),
    }


def _mistakes(
    answers: Sequence[Answer], gold: Sequence[Sequence[Stretch]], texts: Sequence[str]
) -> Iterator[Mistake]:
    """Wrong and missed entities of every row, each gold one paired at most once."""
    for row, (answer, wanted, text) in enumerate(zip(answers, gold, texts, strict=True)):
        named = triples(wanted)
        found = triples(answer.entities)
        open_gold = [span for span in wanted if (span.start, span.end, span.label) not in found]
        for entity in answer.entities:
            if (entity.start, entity.end, entity.label) in named:
                continue
            near = next((span for span in open_gold if _overlap(span, entity)), None)
            if near is not None:
                open_gold.remove(near)
            shown = _around(text, entity)
            label = near.label if near is not None else None
            yield Mistake(row, label, entity.label, entity.confidence, shown)
        for span in open_gold:
            yield Mistake(row, span.label, None, answer.confidence, _around(text, span))


def _overlap(one: Stretch, other: Stretch) -> bool:
    """Whether two stretches share a character."""
    return one.start < other.end and other.start < one.end


def _around(text: str, stretch: Stretch, width: int = 60) -> str:
    """The stretch in brackets with some text on both sides."""
    before = text[max(0, stretch.start - width) : stretch.start]
    inside = text[stretch.start : stretch.end]
    return f"{before}[{inside}]{text[stretch.end : stretch.end + width]}"
