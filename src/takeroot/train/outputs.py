"""What a network says about texts, in the form every runtime of a bundle answers in."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from takeroot.bundle import Outputs
from takeroot.models.text_model import TextModel
from takeroot.tasks import Encoding
from takeroot.train.embed import predict


def network_outputs(
    model: TextModel, encoding: Encoding, *, dtype: torch.dtype = torch.float32
) -> Outputs:
    """The network's outputs for encoded examples.

    Args:
        model: The network.
        encoding: Of the examples, in their order.
        dtype: Format of the matrix products.
    """
    logits, vectors = predict(model, encoding.rows, dtype=dtype)
    if encoding.words is None:
        return Outputs(np.stack(logits), vectors)
    count = max(encoding.owners, default=-1) + 1
    by_text: list[list[np.ndarray]] = [[] for _ in range(count)]
    words: list[list[np.ndarray]] = [[] for _ in range(count)]
    for owner, row, offsets in zip(encoding.owners, logits, encoding.words, strict=True):
        by_text[owner].append(row)
        words[owner].append(offsets)
    return Outputs(
        [np.concatenate(parts) for parts in by_text], None, [np.concatenate(p) for p in words]
    )


def select(outputs: Outputs, rows: Sequence[int] | np.ndarray) -> Outputs:
    """The outputs of some rows only."""
    numbers = list(rows)
    if outputs.words is not None:
        return Outputs(
            [outputs.logits[k] for k in numbers], None, [outputs.words[k] for k in numbers]
        )
    embedding = None if outputs.embedding is None else outputs.embedding[numbers]
    return Outputs(np.asarray(outputs.logits)[numbers], embedding)
