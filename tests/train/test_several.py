from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from takeroot.tasks import Classify, Encoded, MultiLabel, Tag, Task
from takeroot.train import Labelled, TrainConfig, train
from takeroot.train.several import Several, SeveralHeads, Tagged, head_for

Build = Callable[..., Any]
FP32 = torch.float32
TWO, THREE, MANY = Classify(("a", "b")), Classify(("x", "y", "z")), MultiLabel(("p", "q"))


def rows(task: Task, count: int = 12) -> list[Encoded]:
    """Texts of unequal length whose label a token says."""
    random = np.random.default_rng(count)
    found = []
    for number in range(count):
        ids = [2, 20 + number % 6, *random.integers(40, 60, 1 + number % 4).tolist(), 3]
        target: Any = [number % 2, 1 - number % 2] if task is MANY else number % len(task.labels)
        found.append(Encoded(ids, [0] * len(ids), (), target))
    return found


def mixed(*parts: list[Encoded]) -> list[Tagged]:
    return [Tagged(row, which) for which, part in enumerate(parts) for row in part]


def test_the_loss_is_each_tasks_own_weighed_by_its_rows(tiny_model: Build) -> None:
    model = tiny_model(TWO)
    network = SeveralHeads(model, [THREE.head(32), MANY.head(32)])
    objective = Several(Labelled(TWO), (THREE, MANY), (0.5, 2.0))
    own, three, many = rows(TWO, 6), rows(THREE, 3), rows(MANY, 1)

    loss = objective.loss(network, mixed(own, three, many), FP32)

    alone = [Labelled(TWO).loss(model, own, FP32)]
    for task, head, part in ((THREE, 0, three), (MANY, 1, many)):
        model.head = network.heads[head]
        alone.append(Labelled(task).loss(model, part, FP32))
    expected = (6 * alone[0] + 3 * 0.5 * alone[1] + 1 * 2.0 * alone[2]) / 10
    torch.testing.assert_close(loss, expected)


def test_the_encoder_and_every_head_learn(tiny_model: Build) -> None:
    model = tiny_model(TWO)
    network = SeveralHeads(model, [THREE.head(32)])
    before = [p.detach().clone() for p in network.parameters()]
    objective = Several(Labelled(TWO), (THREE,), (1.0,))

    train(network, objective, mixed(rows(TWO), rows(THREE)), TrainConfig(epochs=1, batch_size=4))

    moved = {
        name: not torch.equal(p, old)
        for (name, p), old in zip(network.named_parameters(), before, strict=True)
    }
    assert moved["head.weight"] and moved["heads.0.weight"]
    assert moved["encoder.encoder.layer.0.attention.self.query.weight"]


def test_only_the_first_tasks_rows_are_scored_by_its_own_head(tiny_model: Build) -> None:
    model, own = tiny_model(TWO), rows(TWO)
    network = SeveralHeads(model, [THREE.head(32)])

    found = Several(Labelled(TWO), (THREE,), (1.0,)).score(network, mixed(own), FP32)

    assert found == Labelled(TWO).score(model, own, FP32)


@pytest.mark.parametrize("task", [TWO, THREE, MANY], ids=["two", "three", "multilabel"])
def test_a_head_begins_better_than_chance(tiny_model: Build, task: Any) -> None:
    model, own = tiny_model(task), rows(task, 30)
    random = Labelled(task).loss(model, own, FP32)

    model.head = head_for(task, model, own, FP32)

    assert Labelled(task).loss(model, own, FP32).item() < random.item()


def test_a_head_that_reads_words_begins_at_random(tiny_model: Build) -> None:
    tag = Tag(("O", "B-x", "I-x"))

    model = tiny_model(tag)
    torch.manual_seed(3)
    expected = tag.head(32).weight
    torch.manual_seed(3)

    head = head_for(tag, model, [], FP32)

    assert torch.equal(head.weight, expected)
