from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from takeroot.models.load import load
from takeroot.search import probe as probes
from takeroot.search.probe import Probe
from takeroot.tasks import Classify, MultiLabel
from takeroot.train.logistic import Linear


@pytest.mark.parametrize(
    ("label", "words"),
    [
        ("card_arrival", "card arrival"),
        ("cardArrival", "card Arrival"),
        ("SIM-card/lost", "SIM card lost"),
        ("__", "__"),
        ("退款_申请", "退款 申请"),
        ("plain", "plain"),
    ],
)
def test_a_label_is_spoken_as_words(label: str, words: str) -> None:
    assert probes.spoken_name(label) == words


def test_label_names_are_training_rows_where_they_are_used(
    shop_examples: Callable[..., Any], work_of: Callable[..., Any]
) -> None:
    work = work_of(shop_examples(6))
    probe = Probe(np.zeros((6, 3), np.float32), np.eye(3, dtype=np.float32), 10.0)

    head = probes.solve_head(work, probe, np.arange(6))

    assert head.logits(np.eye(3, dtype=np.float32)).argmax(axis=1).tolist() == [0, 1, 2]


def test_class_weights_reach_the_solved_head(
    shop_examples: Callable[..., Any], work_of: Callable[..., Any]
) -> None:
    rows = [row for row in shop_examples(30) if row.label != "money"]
    rows = [row for row in rows if row.label == "card"] + rows[:2]
    probe = Probe(np.ones((len(rows), 1), np.float32), None, 1e-4)  # only the intercept can learn

    for weights, expected in (("balanced", 0.5), ("none", 11 / 12)):
        work = work_of(rows, fit={"class_weights": weights})
        logits = probes.solve_head(work, probe, np.arange(len(rows))).logits(probe.vectors[:1])[0]
        assert 1 / (1 + np.exp(logits[1] - logits[0])) == pytest.approx(expected, abs=0.01)


def test_a_head_put_into_the_network_gives_the_same_logits(encoder_folder: Any) -> None:
    task = Classify(("a", "b", "c"))
    random = np.random.default_rng(0)
    values = random.normal(size=(33, 3)).astype(np.float32)
    head = Linear(values[:32], values[32])
    model = probes.build(load(str(encoder_folder)), task)

    probes.put_head(model, head)

    vectors = random.normal(size=(5, 32)).astype(np.float32)
    assert isinstance(model.head, nn.Linear)
    found = model.head(torch.from_numpy(vectors)).detach().numpy()
    np.testing.assert_allclose(found, head.logits(vectors), atol=1e-5)  # float32 sums


def test_the_solved_head_of_several_labels_has_independent_outputs(
    shop_examples: Callable[..., Any], work_of: Callable[..., Any]
) -> None:
    rows = [
        type(row)(row.text, ("a", "b") if k % 2 else ()) for k, row in enumerate(shop_examples(8))
    ]
    vectors = np.array([[k % 2] for k in range(8)], np.float32)

    work = work_of(rows, MultiLabel(("a", "b")))
    logits = probes.solve_head(work, Probe(vectors, None, 100.0), np.arange(8)).logits(vectors)

    assert ((logits > 0) == (vectors > 0)).all()
