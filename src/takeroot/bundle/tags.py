"""Entity tags: names, the best valid sequence, and the way between words and characters.

Tags are "O", then "B-x", "I-x" for each label x in order. "I-x" may follow only "B-x" or "I-x"
(BIO; Ramshaw & Marcus 1995, arXiv:cmp-lg/9505040). Decoding is a Viterbi search (Viterbi 1967)
over exactly the sequences that keep this rule, so an invalid one cannot be given out. Because the
rule binds only "I-x", a step costs O(K') rather than O(K' squared).

Shapes: W words, L labels, K' = 1 + 2 L tags.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from takeroot.bundle.answer import Entity


@dataclass(frozen=True, slots=True)
class WordSpan:
    """An entity by words: from word ``first`` up to and with word ``last``."""

    first: int
    last: int
    label: str


def tag_names(labels: Sequence[str]) -> tuple[str, ...]:
    """Names of the K' tags, in the order of the outputs."""
    return ("O", *(f"{kind}-{label}" for label in labels for kind in "BI"))


def viterbi(log_probabilities: np.ndarray, labels: Sequence[str]) -> list[int]:
    """The most probable valid tag sequence.

    Args:
        log_probabilities: (W, K'); logits will do, as each word's constant changes nothing.
        labels: The L label names.
    """
    greedy = log_probabilities.argmax(axis=1)
    if is_valid(greedy):  # nothing can beat it
        return [int(tag) for tag in greedy]
    return _search(log_probabilities.astype(np.float64), len(labels))


def is_valid(tags: np.ndarray) -> bool:
    """Whether every I tag of tags (W,) continues an entity of its label."""
    inside = (tags > 0) & (tags % 2 == 0)
    before = np.concatenate([[0], tags[:-1]])
    return not bool((inside & (before != tags) & (before != tags - 1)).any())


def _search(scores: np.ndarray, count: int) -> list[int]:
    """Viterbi over scores (W, K') for ``count`` labels."""
    begin = np.arange(1, 2 * count, 2)
    total = scores[0].copy()
    total[begin + 1] = -np.inf
    back = np.zeros(scores.shape, np.int64)
    for step in range(1, len(scores)):
        best = int(total.argmax())
        reach, source = np.full(len(total), total[best]), np.full(len(total), best)
        continues = total[begin + 1] > total[begin]
        source[begin + 1] = begin + continues
        reach[begin + 1] = total[source[begin + 1]]
        total, back[step] = reach + scores[step], source
    path = [int(total.argmax())]
    for step in range(len(scores) - 1, 0, -1):
        path.append(int(back[step, path[-1]]))
    return path[::-1]


def spans_of(tags: Sequence[int], labels: Sequence[str]) -> list[WordSpan]:
    """The entities a tag sequence (W,) writes down, in order; a stray I tag begins one."""
    spans: list[WordSpan] = []
    first, inside = 0, -1
    for word, tag in enumerate([*tags, 0]):
        label = (tag - 1) // 2 if tag else -1
        if inside >= 0 and (label != inside or tag % 2 == 1):
            spans.append(WordSpan(first, word - 1, labels[inside]))
            inside = -1
        if label >= 0 and inside < 0:
            first, inside = word, label
    return spans


def entities(
    text: str,
    words: np.ndarray,
    tags: Sequence[int],
    probabilities: np.ndarray,
    labels: Sequence[str],
) -> tuple[Entity, ...]:
    """The entities of a text, with character offsets.

    Args:
        text: The text as given.
        words: Character offsets of its words (W, 2).
        tags: A valid tag sequence (W,).
        probabilities: Tag probabilities of its words (W, K').
        labels: The L label names.
    """
    found = []
    for span in spans_of(tags, labels):
        start, end = int(words[span.first, 0]), int(words[span.last, 1])
        rows = np.arange(span.first, span.last + 1)
        chosen = probabilities[rows, list(tags[span.first : span.last + 1])]
        confidence = float(np.exp(np.log(np.maximum(chosen, 1e-12)).mean()))
        found.append(Entity(start, end, span.label, text[start:end], confidence))
    return tuple(found)


def align(
    spans: Sequence[tuple[tuple[int, int], str]], words: np.ndarray, labels: Sequence[str]
) -> list[int]:
    """Tags (W,) of words (W, 2) for gold entities ``((start, end), label)`` in characters.

    A word belongs to the first entity it shares a character with.
    """
    tags = [0] * len(words)
    for (start, end), label in spans:
        number = labels.index(label)
        inside = np.flatnonzero((words[:, 0] < end) & (words[:, 1] > start))
        free = [int(word) for word in inside if tags[word] == 0]
        for place, word in enumerate(free):
            tags[word] = 2 * number + (1 if place == 0 else 2)
    return tags
