"""From examples to what the network takes, by the same tokenising that serving uses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from tokenizers import Tokenizer

from takeroot.bundle.tags import align
from takeroot.bundle.tokens import encode, windows
from takeroot.data.example import Example
from takeroot.tasks.tag import spans_in
from takeroot.tasks.task import Encoded, Task


@dataclass(frozen=True)
class Encoding:
    """Rows for the network, and where they come from.

    Args:
        rows: One for each example; for tag one for each window of an example.
        owners: Number of the example of each row.
        words: For tag, character offsets (W, 2) of the words each row decides, else None.
    """

    rows: list[Encoded]
    owners: list[int]
    words: list[np.ndarray] | None


def encode_examples(
    task: Task, tokenizer: Tokenizer, examples: Sequence[Example], max_tokens: int
) -> Encoding:
    """The examples as rows of the network.

    Args:
        task: Gives targets.
        tokenizer: The model's; its truncation is changed.
        examples: Labelled rows; a missing label counts as none where a row may have none.
        max_tokens: Most tokens of a row, special ones included.

    Raises:
        DataError: If a label is not one of the task's.
    """
    targets = task.targets(examples)
    if not task.pooled:
        return _windows(task, tokenizer, examples, max_tokens)
    found = encode(tokenizer, [example.input for example in examples], max_tokens=max_tokens)
    types = found.types or [[0] * len(ids) for ids in found.ids]
    rows = [
        Encoded(ids, kinds, (), target)
        for ids, kinds, target in zip(found.ids, types, targets, strict=True)
    ]
    return Encoding(rows, list(range(len(rows))), None)


def _windows(
    task: Task, tokenizer: Tokenizer, examples: Sequence[Example], max_tokens: int
) -> Encoding:
    """Rows of words and their tags."""
    rows: list[Encoded] = []
    owners: list[int] = []
    words: list[np.ndarray] = []
    for window in windows(tokenizer, [example.text for example in examples], max_tokens=max_tokens):
        gold = spans_in(examples[window.row])
        spans = [((span.start, span.end), span.label) for span in gold]
        target = align(spans, window.words, task.labels)
        rows.append(Encoded(window.ids, window.types, window.places.tolist(), target))
        owners.append(window.row)
        words.append(window.words)
    return Encoding(rows, owners, words)
