"""The loss is that of the answers alone, and transformers' own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from folders import CAUSAL

from takeroot.generation.objective import Answers, Row, Writer, padded, perplexity

Build = Callable[..., Any]
ROWS = [Row([4, 5, 6, 7], [8, 9, 1]), Row([4, 9], [10, 1]), Row([7], [4, 5, 6, 8, 1])]
families = pytest.mark.parametrize("family", ["llama", "t5", "bart"])


def reference(network: Any, row: Row, causal: bool) -> float:
    """Transformers' mean loss of one row, unpadded, without its prompt."""
    if causal:
        ids = torch.tensor([[*row.prompt, *row.answer]])
        labels = torch.tensor([[*[-100] * len(row.prompt), *row.answer]])
        return float(network(input_ids=ids, labels=labels).loss.detach())
    ids, labels = torch.tensor([row.prompt]), torch.tensor([row.answer])
    return float(network(input_ids=ids, labels=labels).loss.detach())


@families
def test_loss_is_that_of_transformers(family: str, pretrained: Build) -> None:
    made = pretrained(family)
    objective = Answers(made.config.start)

    found = objective.judge(Writer(made.network), ROWS)

    wanted = [reference(made.network, row, family in CAUSAL) for row in ROWS]
    assert (found.losses / found.tokens).tolist() == pytest.approx(wanted, rel=1e-4)


@families
def test_the_loss_of_a_batch_is_the_mean_over_its_answers_tokens(
    family: str, pretrained: Build
) -> None:
    made = pretrained(family)
    model, objective = Writer(made.network), Answers(made.config.start)

    loss = objective.loss(model, ROWS, torch.float32)

    judged = objective.judge(model, ROWS)
    assert objective.decisions(ROWS) == judged.tokens.sum() == 10
    assert float(loss.detach()) == pytest.approx(judged.losses.sum() / 10, rel=1e-4)


@pytest.mark.parametrize(
    ("longest", "most", "width"),
    [
        *((5, None, 5), (64, 1000, 64), (65, 1000, 80), (250, 1000, 256), (300, 1000, 320)),
        *((300, 310, 310), (300, 300, 300), (310, 300, 310), (300, None, 320)),
    ],
)
def test_long_rows_are_filled_up_to_lengths_that_recur(
    longest: int, most: int | None, width: int
) -> None:
    ids, mask = padded([[7] * longest, [7]], most)

    assert ids.shape == (2, width)
    assert mask.sum(dim=1).tolist() == [longest, 1]


@pytest.mark.parametrize("family", ["llama", "t5"])
def test_filling_up_changes_no_loss(family: str, pretrained: Build) -> None:
    made = pretrained(family)
    row = Row([4 + k % 9 for k in range(70)], [8, 9, 1])  # filled up to 80

    found = Answers(made.config.start).judge(Writer(made.network), [row])

    wanted = reference(made.network, row, family == "llama")
    assert float(found.losses[0]) / 3 == pytest.approx(wanted, rel=1e-4)


def test_lengths_count_prompt_and_answer() -> None:
    assert Answers().lengths(ROWS).tolist() == [7, 4, 6]


def test_a_loss_beyond_numbers_has_a_perplexity() -> None:
    assert perplexity(1e9) < float("inf")
