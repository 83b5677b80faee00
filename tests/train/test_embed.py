from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from takeroot.tasks import Classify, Encoded, Tag
from takeroot.train import embed as embedding
from takeroot.train.embed import embed, predict

ROWS = [
    Encoded([2, *range(20, 20 + n), 3], [0] * (n + 2), range(1, n + 1), [0] * n)
    for n in (5, 1, 9, 3, 0)
]
TASKS = {"classify": Classify(("a", "b")), "tag": Tag(("x",))}


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several batches also of a few rows."""
    monkeypatch.setattr(embedding, "TOKENS", 20)


def test_vectors_come_in_the_order_of_the_rows(tiny_model: Callable[..., Any]):
    model = tiny_model(TASKS["classify"])

    together = embed(model, ROWS)

    alone = np.concatenate([embed(model, [row]) for row in ROWS])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("name", TASKS)
def test_logits_come_in_the_order_of_the_rows(name: str, tiny_model: Callable[..., Any]):
    model = tiny_model(TASKS[name])

    together, _ = predict(model, ROWS)

    for row, found in zip(ROWS, together, strict=True):
        np.testing.assert_allclose(found, predict(model, [row])[0][0], atol=1e-5)
        assert found.shape == ((2,) if name == "classify" else (len(row.words), 3))


def test_progress_counts_rows(tiny_model: Callable[..., Any]):
    seen: list[tuple[int, int, float]] = []

    embed(tiny_model(TASKS["classify"]), ROWS, on_rows=lambda *done: seen.append(done))

    assert seen[-1] == (5, 5, 1.0)
    assert [share for *_, share in seen] == sorted({share for *_, share in seen})
    assert len(seen) > 1


def test_nothing_is_dropped_out(tiny_model: Callable[..., Any]):
    model = tiny_model(TASKS["classify"])
    expected = embed(model, ROWS)

    np.testing.assert_array_equal(embed(model.train(), ROWS), expected)


def test_bf16_is_close(tiny_model: Callable[..., Any]):
    model = tiny_model(TASKS["classify"])

    found = embed(model, ROWS, dtype=torch.bfloat16)

    # bf16 keeps 8 bits; vectors have unit length
    np.testing.assert_allclose(found, embed(model, ROWS), atol=0.03)
