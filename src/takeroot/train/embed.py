"""Run a model over many rows without training it: text vectors and logits.

Shapes: N rows, H hidden size, W words of a row, K outputs.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch

from takeroot.models.text_model import TextModel
from takeroot.tasks import Encoded
from takeroot.train.batches import by_length, collate
from takeroot.train.precision import autocast

TOKENS = 4096  # padded tokens a batch: enough to keep the cores busy, small enough for the cache

OnRows = Callable[[int, int, float], None]  # rows done, rows in all, share of their tokens


def embed(
    model: TextModel,
    rows: Sequence[Encoded],
    *,
    dtype: torch.dtype = torch.float32,
    on_rows: OnRows | None = None,
) -> np.ndarray:
    """Unit-length text vectors (N, H), float32, in the order of the rows.

    In bf16 the whole network is (on a copy), not its matrix products only: half as fast again.
    """
    network = model if dtype == torch.float32 else copy.deepcopy(model).to(dtype)
    vectors = np.zeros((len(rows), model.hidden_size), np.float32)
    for numbers in _run(network, rows, on_rows):
        batch = collate([rows[k] for k in numbers])
        with torch.inference_mode():
            vectors[numbers] = network.embed(batch.ids, batch.mask, batch.types).numpy()
    return vectors


def predict(
    model: TextModel, rows: Sequence[Encoded], *, dtype: torch.dtype = torch.float32
) -> tuple[list[np.ndarray], np.ndarray | None]:
    """Logits of each row, (K,) when pooled else (W, K), and pooled vectors (N, H) or None."""
    logits: list[np.ndarray] = [np.empty(0)] * len(rows)
    vectors = np.zeros((len(rows), model.hidden_size), np.float32) if model.pooled else None
    for numbers in _run(model, rows, None):
        batch = collate([rows[k] for k in numbers])
        with torch.inference_mode(), autocast(dtype):
            found, hidden = model(batch.ids, batch.mask, batch.types)
        values = found.float().numpy()
        for index, number in enumerate(numbers):
            words = list(rows[number].words)
            logits[number] = values[index] if model.pooled else values[index, words]
        if vectors is not None:
            vectors[numbers] = hidden.float().numpy()
    return logits, vectors


def _run(model: TextModel, rows: Sequence[Encoded], on_rows: OnRows | None) -> Iterator[np.ndarray]:
    """The batches, with the model in evaluation mode and progress reported."""
    model.eval()
    lengths = np.array([len(row.ids) for row in rows])
    done, tokens, in_all = 0, 0, int(lengths.sum())
    for numbers in by_length(lengths, TOKENS):
        yield numbers
        done, tokens = done + len(numbers), tokens + int(lengths[numbers].sum())
        if on_rows is not None:
            on_rows(done, len(rows), tokens / in_all)
