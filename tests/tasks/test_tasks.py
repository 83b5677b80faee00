"""What every entry of TASKS must keep."""

from __future__ import annotations

import math
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer

from takeroot.data.example import Example, Span
from takeroot.errors import DataError, RecipeError
from takeroot.tasks import TASKS, Encoded, Task, encode_examples

LABELS = ("a", "b", "c")
EXAMPLES = {
    "classify": [Example("my card", "a"), Example("the pin is lost", "c")],
    "multilabel": [Example("my card", ("a", "c")), Example("the pin", ())],
    "pair": [Example("my card", "a", "lost"), Example("pin", "b", "the pin")],
    "tag": [Example("my card", (Span(3, 7, "b"),)), Example("the pin is lost", ())],
}
UNKNOWN = {"classify": "z", "multilabel": ("a", "z"), "pair": "z", "tag": (Span(0, 1, "z"),)}


def rows_of(task: Task, name: str, tokenizer: Tokenizer) -> list[Encoded]:
    return encode_examples(task, tokenizer, EXAMPLES[name], 16).rows


def logits_of(task: Task, rows: list[Encoded], seed: int = 0) -> torch.Tensor:
    torch.manual_seed(seed)
    tokens = () if task.pooled else (max(len(row.ids) for row in rows),)
    return task.head(8)(torch.randn(len(rows), *tokens, 8))


def best_logits(task: Task, row: Encoded) -> np.ndarray:
    """Logits that say exactly what the row's target says."""
    width = task.head(8).out_features
    if task.name == "multilabel":
        return np.array(row.target) * 2.0 - 1
    return np.eye(width)[np.array(row.target, int)]


@pytest.mark.parametrize("name", TASKS)
def test_it_goes_by_its_name(name: str):
    task = TASKS[name](labels=LABELS)

    assert task.name == name
    assert task.labels == LABELS


@pytest.mark.parametrize("name", TASKS)
def test_it_is_frozen(name: str):
    with pytest.raises(FrozenInstanceError):
        TASKS[name](labels=LABELS).smoothing = 0.5  # type: ignore[misc, attr-defined]


@pytest.mark.parametrize("name", TASKS)
def test_its_loss_is_a_positive_number_that_trains_the_head(name: str, tiny_tokenizer: Tokenizer):
    task = TASKS[name](labels=LABELS)
    rows = rows_of(task, name, tiny_tokenizer)
    logits = logits_of(task, rows).detach().requires_grad_()

    loss = task.loss(logits, rows)
    loss.backward()

    assert 0 < float(loss.detach()) < math.inf
    assert bool(logits.grad.abs().sum() > 0)


@pytest.mark.parametrize("name", TASKS)
def test_its_loss_does_not_depend_on_the_order_of_rows(name: str, tiny_tokenizer: Tokenizer):
    task = TASKS[name](labels=LABELS, smoothing=0.1)
    rows = rows_of(task, name, tiny_tokenizer)
    logits = logits_of(task, rows)

    turned = task.loss(logits.flip(0), rows[::-1])

    torch.testing.assert_close(task.loss(logits, rows), turned)


@pytest.mark.parametrize("name", TASKS)
def test_right_logits_score_one(name: str, tiny_tokenizer: Tokenizer):
    task = TASKS[name](labels=("a", "c") if name == "multilabel" else LABELS)
    rows = rows_of(task, name, tiny_tokenizer)

    assert task.score([best_logits(task, row) for row in rows], rows) == 1.0


@pytest.mark.parametrize("name", TASKS)
def test_an_unknown_label_is_shown_with_its_place(name: str, tiny_tokenizer: Tokenizer):
    row = replace(EXAMPLES[name][0], label=UNKNOWN[name], source="train.csv:7")

    with pytest.raises(DataError, match=r"train\.csv:7: label 'z' is not one of: a, b, c"):
        encode_examples(TASKS[name](labels=LABELS), tiny_tokenizer, [row], 16)


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize(
    "settings", [{"labels": ("a", "b", "a")}, {"labels": ()}, {"labels": LABELS, "smoothing": 1.0}]
)
def test_impossible_settings_are_refused(name: str, settings: dict[str, object]):
    with pytest.raises(RecipeError, match=r"labels: need|label_smoothing: must be in"):
        TASKS[name](**settings)
