from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from takeroot.errors import DataError, ModelError
from takeroot.tasks import Classify, Encoded, Tag
from takeroot.train import History, Labelled, TrainConfig, train
from takeroot.train.embed import predict
from takeroot.train.masking import Masking

Build = Callable[..., Any]

TASK = Classify(("a", "b"))
PLAIN = TrainConfig(epochs=1, learning_rate=1e-3, head_learning_rate=1e-2, average=0.0)


def rows_of(count: int) -> list[Encoded]:
    """Texts whose label says whether token 20 or 30 comes up in them."""
    random = np.random.default_rng(0)
    rows = []
    for number in range(count):
        words = [20 + 10 * (number % 2), *random.integers(40, 60, 1 + number % 4).tolist()]
        ids = [2, *words, 3]
        rows.append(Encoded(ids, [0] * len(ids), (), number % 2))
    return rows


def weights_after(
    build: Build, config: TrainConfig, rows: Sequence[Encoded], masking: Masking | None = None
) -> Tensor:
    model = build(TASK)
    train(model, Labelled(TASK, masking), rows, config)
    return torch.cat([p.detach().flatten() for p in model.parameters()])


@dataclass(frozen=True)
class Scripted(Classify):
    """Scores come from a list, one an evaluation; the model is remembered at each."""

    scores: tuple[float, ...] = ()
    seen: list[float] = ()  # type: ignore[assignment]

    def score(self, logits: Sequence[np.ndarray], rows: Sequence[Encoded]) -> float:
        self.seen.append(float(logits[0][0]))
        return self.scores[len(self.seen) - 1]


@dataclass(frozen=True)
class Broken(Classify):
    """The loss of every step from ``after`` on is not finite."""

    after: int = 0
    steps: list[int] = ()  # type: ignore[assignment]

    def loss(self, logits: Tensor, rows: Sequence[Encoded]) -> Tensor:
        self.steps.append(len(rows))
        loss = super().loss(logits, rows)
        return loss * math.inf if len(self.steps) > self.after else loss


class Notes:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.steps: list[tuple[int, int]] = []

    def note(self, message: str) -> None:
        self.notes.append(message)

    def step(self, stage: str, done: int, total: int, figures: object) -> None:
        self.steps.append((done, total))


def test_training_learns_what_the_rows_say(tiny_model: Build):
    model, rows = tiny_model(TASK), rows_of(32)
    config = replace(PLAIN, epochs=12, batch_size=8, learning_rate=5e-3)

    history = train(model, Labelled(TASK), rows, config, valid=rows)

    assert history.epochs[-1]["accuracy"] == 1.0
    assert history.epochs[-1]["loss"] < history.epochs[0]["loss"] / 2
    assert not model.training


def test_the_same_seed_gives_the_same_weights_to_the_bit(tiny_model: Build):
    config = replace(PLAIN, batch_size=4, dropout=0.1, average=0.9)
    first = weights_after(tiny_model, config, rows_of(12))
    torch.manual_seed(99)  # what others draw changes nothing

    assert torch.equal(first, weights_after(tiny_model, config, rows_of(12)))


def test_another_seed_gives_other_weights(tiny_model: Build):
    config = replace(PLAIN, batch_size=4)
    first = weights_after(tiny_model, config, rows_of(12))

    assert not torch.equal(first, weights_after(tiny_model, replace(config, seed=1), rows_of(12)))


def test_a_batch_computed_in_parts_is_the_same_batch(tiny_model: Build):
    config, rows = replace(PLAIN, batch_size=16), rows_of(32)
    whole = logits_after(tiny_model, config, rows, TASK)

    parts = logits_after(tiny_model, replace(config, part_tokens=20), rows, TASK)

    np.testing.assert_allclose(parts, whole, atol=2e-4)


def test_hidden_tokens_change_what_is_learnt(tiny_model: Build):
    config = replace(PLAIN, batch_size=4)
    plain = weights_after(tiny_model, config, rows_of(12))

    hidden = weights_after(tiny_model, config, rows_of(12), Masking(0.5, 4, (2, 3)))
    none_hidden = weights_after(tiny_model, config, rows_of(12), Masking(0.0, 4, ()))

    assert not torch.equal(plain, hidden)
    assert torch.equal(plain, none_hidden)


def test_training_leaves_other_peoples_random_numbers_alone(tiny_model: Build):
    model = tiny_model(TASK)
    before = torch.get_rng_state()

    train(model, Labelled(TASK), rows_of(4), replace(PLAIN, dropout=0.1))

    assert torch.equal(torch.get_rng_state(), before)


def logits_after(build: Build, config: TrainConfig, rows: list[Encoded], task: Any) -> np.ndarray:
    # NOTE: not the weights: AdamW makes a whole step of what rounding leaves of a gradient of 0.
    model = build(task)
    train(model, Labelled(task), rows, config)
    return np.concatenate([each.ravel() for each in predict(model, rows)[0]])


def test_two_accumulated_batches_of_16_are_one_of_32(tiny_model: Build):
    config, rows = replace(PLAIN, batch_size=32), rows_of(32)
    whole = logits_after(tiny_model, config, rows, TASK)

    config = replace(config, batch_size=16, accumulate=2)
    halves = logits_after(tiny_model, config, rows, TASK)

    np.testing.assert_allclose(halves, whole, atol=1e-4)


def test_accumulated_words_weigh_the_same_whatever_row_they_are_in(tiny_model: Build):
    task, words = Tag(("x",)), (1, 1, 6, 6)
    rows = [Encoded([20] * n, [0] * n, range(n), [k // 2] * n) for k, n in enumerate(words)]
    config = replace(PLAIN, batch_size=4)
    whole = logits_after(tiny_model, config, rows, task)

    config = replace(config, batch_size=2, accumulate=2)
    halves = logits_after(tiny_model, config, rows, task)

    np.testing.assert_allclose(halves, whole, atol=1e-4)


def test_three_losses_in_a_row_that_are_not_finite_end_training(tiny_model: Build):
    task = Broken(("a", "b"), after=2, steps=[])
    model = tiny_model(task)

    with pytest.raises(ModelError, match=r"not finite three times .* lower fit\.learning_rate"):
        train(model, Labelled(task), rows_of(32), replace(PLAIN, batch_size=4))

    assert len(task.steps) == 5
    assert all(bool(torch.isfinite(p).all()) for p in model.parameters())


def test_a_single_bad_loss_is_left_out(tiny_model: Build):
    task = Broken(("a", "b"), after=3, steps=[])

    history = train(tiny_model(task), Labelled(task), rows_of(16), replace(PLAIN, batch_size=4))

    assert math.isfinite(history.epochs[0]["loss"])


def test_a_history_of_bad_losses_only_has_no_loss(tiny_model: Build):
    task = Broken(("a", "b"), steps=[])

    history = train(tiny_model(task), Labelled(task), rows_of(2), replace(PLAIN, batch_size=1))

    assert history.epochs == [{"epoch": 1.0}]


def test_a_short_budget_shortens_the_schedule(tiny_model: Build):
    notes = Notes()
    config = replace(PLAIN, batch_size=1, epochs=5, budget_s=1e-9)

    history = train(tiny_model(TASK), Labelled(TASK), rows_of(20), config, progress=notes)

    assert notes.steps[-1] == (8, 8)
    assert "100 steps would take" in notes.notes[0] and "so 8 steps" in notes.notes[0]
    assert history.epochs[-1]["epoch"] == 0.4


def test_a_long_budget_changes_nothing(tiny_model: Build):
    notes = Notes()
    config = replace(PLAIN, batch_size=1, budget_s=1e9)

    train(tiny_model(TASK), Labelled(TASK), rows_of(12), config, progress=notes)

    assert notes.steps == [(10, 12), (12, 12)]
    assert notes.notes == []


def test_part_of_an_epoch_is_trained(tiny_model: Build):
    history = train(
        tiny_model(TASK), Labelled(TASK), rows_of(20), replace(PLAIN, batch_size=2, epochs=1.5)
    )

    assert [row["epoch"] for row in history.epochs] == [1.0, 1.5]


def test_the_history_holds_the_rates_that_were_used(tiny_model: Build):
    config = replace(PLAIN, batch_size=1, warmup_share=0.5)

    history = train(tiny_model(TASK), Labelled(TASK), rows_of(20), config)

    rates = [row["lr"] / config.learning_rate for row in history.steps]
    assert [row["step"] for row in history.steps] == [10, 20]
    assert rates == pytest.approx([1.0, 0.1])


def scripted(tiny_model: Build, scores: list[float], patience: int | None) -> tuple[Any, History]:
    task = Scripted(("a", "b"), scores=tuple(scores), seen=[])
    model, rows = tiny_model(task), rows_of(8)
    config = replace(PLAIN, epochs=len(scores), patience=patience, average=0.5, batch_size=4)
    history = train(model, Labelled(task), rows, config, valid=rows[:1])
    mask = torch.ones(1, len(rows[0].ids), dtype=torch.long)
    with torch.inference_mode():
        last = model(torch.tensor([rows[0].ids]), mask, torch.zeros_like(mask))[0]
    return (task.seen, float(last[0, 0])), history


def test_patience_stops_and_keeps_the_best_weights(tiny_model: Build):
    (seen, last), history = scripted(tiny_model, [0.1, 0.9, 0.5, 0.9, 0.7], patience=2)

    assert [row["accuracy"] for row in history.epochs] == [0.1, 0.9, 0.5, 0.9]
    assert last == pytest.approx(seen[1], abs=1e-5)


def test_a_better_score_renews_patience(tiny_model: Build):
    (seen, last), history = scripted(tiny_model, [0.5, 0.4, 0.6, 0.5], patience=2)

    assert len(history.epochs) == 4
    assert last == pytest.approx(seen[2], abs=1e-5)


def test_without_patience_scores_are_only_noted(tiny_model: Build):
    (seen, last), history = scripted(tiny_model, [0.9, 0.1, 0.1], patience=None)

    assert len(history.epochs) == 3
    assert last == pytest.approx(seen[2], abs=1e-5)


def test_only_parameters_that_ask_for_it_are_trained(tiny_model: Build):
    model = tiny_model(TASK)
    for parameter in model.encoder.embeddings.parameters():
        parameter.requires_grad_(False)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}

    train(model, Labelled(TASK), rows_of(8), PLAIN)

    for name, parameter in model.named_parameters():
        assert torch.equal(parameter, before[name]) is name.startswith("encoder.embeddings"), name


def test_biases_and_norms_do_not_decay(tiny_model: Build):
    config = replace(PLAIN, learning_rate=1e-3, weight_decay=1.0, batch_size=8)
    kept = weights_after(tiny_model, replace(config, weight_decay=0.0), rows_of(8))
    decayed = weights_after(tiny_model, config, rows_of(8))
    sizes = [(p.ndim, p.numel()) for p in tiny_model(TASK).parameters()]

    parts = torch.split((kept - decayed).abs(), [size for _, size in sizes])

    assert all(
        (float(part.max()) > 1e-6) is (ndim > 1)
        for part, (ndim, _) in zip(parts, sizes, strict=True)
    )


def test_the_contrastive_loss_is_added(tiny_model: Build):
    config = replace(PLAIN, batch_size=8)
    alone = train(tiny_model(TASK), Labelled(TASK), rows_of(8), config)

    both = train(tiny_model(TASK), Labelled(TASK, contrastive=1.0), rows_of(8), config)

    assert both.epochs[0]["loss"] > alone.epochs[0]["loss"] + 0.1


def test_bf16_trains_float32_weights(tiny_model: Build):
    model = tiny_model(TASK)

    train(model, Labelled(TASK), rows_of(8), replace(PLAIN, precision=torch.bfloat16))

    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert all(isinstance(p, nn.Parameter) for p in model.parameters())


def test_no_rows_are_refused(tiny_model: Build):
    with pytest.raises(DataError, match="fine-tuning: there are no training rows"):
        train(tiny_model(TASK), Labelled(TASK), [], PLAIN, stage="fine-tuning")
