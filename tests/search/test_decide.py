from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from sklearn.metrics import f1_score

from takeroot.bundle import Outputs
from takeroot.data import Example
from takeroot.search.decide import calibrate, draft_spec, evaluation_of, gold_of
from takeroot.search.work import Judged
from takeroot.tasks import Classify, MultiLabel, Tag

THREE = Classify(("a", "b", "c"))


def too_sure(count: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Logits five times as large as the probabilities gold is drawn from, and that gold."""
    random = np.random.default_rng(0)
    logits = random.normal(size=(count, 3))
    chances = np.exp(log_softmax(logits, axis=1))
    gold = np.array([random.choice(3, p=row) for row in chances])
    return 5 * logits, gold


def test_temperature_is_where_the_loss_is_least() -> None:
    logits, gold = too_sure()

    found = calibrate(THREE, Outputs(logits), gold).temperature

    def loss(t: float) -> float:
        return float(-log_softmax(logits / t, axis=1)[np.arange(len(gold)), gold].mean())

    assert found == pytest.approx(minimize_scalar(loss, bounds=(0.1, 20)).x, rel=1e-3)


def test_calibration_lowers_loss_and_error_of_confidence() -> None:
    logits, gold = too_sure()

    found = calibrate(THREE, Outputs(logits), gold).evidence

    assert found["nll_after"] < found["nll_before"]
    assert found["ece_after"] < found["ece_before"]


def test_every_label_of_multilabel_has_the_threshold_that_suits_it() -> None:
    random = np.random.default_rng(1)
    gold = random.random((2000, 2)) < [0.5, 0.1]
    logits = random.normal(size=gold.shape) + np.where(gold, 1.0, -1.0) - [0.0, 3.0]

    found = calibrate(MultiLabel(("often", "rare")), Outputs(logits), gold.astype(int))

    chances = 1 / (1 + np.exp(-logits / found.temperature))
    fitted = chances >= [found.thresholds["often"], found.thresholds["rare"]]
    plain = f1_score(gold, chances >= 0.5, average="macro")
    assert f1_score(gold, fitted, average="macro") > plain + 0.1


def test_calibration_of_multilabel_lowers_its_loss() -> None:
    random = np.random.default_rng(2)
    gold = random.random((500, 2)) < 0.5
    logits = 8 * (random.normal(size=gold.shape) + np.where(gold, 0.5, -0.5))

    found = calibrate(MultiLabel(("a", "b")), Outputs(logits), gold.astype(int)).evidence

    assert found["nll_after"] < found["nll_before"]


def test_tags_are_left_as_they_are() -> None:
    found = calibrate(Tag(("x",)), Outputs([np.zeros((2, 3))]), np.array([]))

    assert (found.temperature, found.thresholds, found.evidence) == (1.0, {}, {})


def test_gold_is_what_the_judged_rows_hold(work_of: Callable[..., Any]) -> None:
    work = work_of([Example(text, text) for text in "abcb"])

    assert gold_of(work, np.array([3, 0])).tolist() == [1, 0]


def test_judged_rows_are_answered_at_the_fitted_temperature(work_of: Callable[..., Any]) -> None:
    work = work_of([Example("x", "a"), Example("y", "b"), Example("z", "a")])
    judged = Judged(np.array([0, 1, 2]), Outputs(np.array([[2.0, 0], [0, 2.0], [0, 2.0]])))
    decision = calibrate(work.task, judged.outputs, gold_of(work, judged.rows))

    found = evaluation_of(work, judged, draft_spec(work, decision), {})

    # Two of three are right, all as sure: the best temperature makes that 2/3.
    assert 1 / (1 + np.exp(-2 / decision.temperature)) == pytest.approx(2 / 3, abs=1e-6)
    assert found.to_json()["accuracy"] == pytest.approx(2 / 3, abs=1e-6)
