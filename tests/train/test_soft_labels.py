from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer

from takeroot.data import Example
from takeroot.tasks import Classify, encode_examples
from takeroot.train import Labelled, TrainConfig, train
from takeroot.train.soft_labels import SoftLabelled, SoftRow

TASK = Classify(("card", "pin"))
FP32 = torch.float32


@pytest.fixture
def rows(tiny_tokenizer: Tokenizer) -> list[Any]:
    examples = [Example("my card is lost", "card"), Example("change the pin please", "pin")]
    return encode_examples(TASK, tiny_tokenizer, examples, 16).rows


def test_sure_labels_give_the_loss_of_labels(
    rows: list[Any], tiny_model: Callable[..., Any]
) -> None:
    model = tiny_model(TASK)
    soft = [SoftRow(row, np.eye(2)[row.target]) for row in rows]

    found = SoftLabelled(TASK).loss(model, soft, FP32)

    torch.testing.assert_close(found, Labelled(TASK).loss(model, rows, FP32))


def test_loss_is_the_weighted_cross_entropy_by_hand(
    rows: list[Any], tiny_model: Callable[..., Any]
) -> None:
    model = tiny_model(TASK)
    soft = [SoftRow(rows[0], np.array([0.7, 0.3]), 0.5)]

    found = SoftLabelled(TASK).loss(model, soft, FP32).item()

    ids = torch.tensor([rows[0].ids])
    logits, _ = model(ids, torch.ones_like(ids), torch.zeros_like(ids))
    a, b = logits[0].detach().double().tolist()
    total = np.log(np.exp(a) + np.exp(b))
    assert found == pytest.approx(0.5 * (0.7 * (total - a) + 0.3 * (total - b)), rel=1e-4)


def test_the_loop_learns_what_is_likely(rows: list[Any], tiny_model: Callable[..., Any]) -> None:
    model = tiny_model(TASK)
    soft = [SoftRow(row, np.array([0.1, 0.9])) for row in rows]
    config = TrainConfig(epochs=30, learning_rate=0.01, head_learning_rate=0.01, average=0.0)

    train(model, SoftLabelled(TASK), soft, config)

    ids = torch.tensor([rows[0].ids])
    logits, _ = model(ids, torch.ones_like(ids), torch.zeros_like(ids))
    assert logits.softmax(dim=1)[0, 1].item() == pytest.approx(0.9, abs=0.1)
