from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from takeroot.bundle import Outputs
from takeroot.data import Example
from takeroot.search import abstention
from takeroot.search.probe import Probe

RANDOM = np.random.default_rng(0)
VECTORS = RANDOM.normal(size=(60, 4)) * [1, 2, 3, 4]
LABELS = np.repeat([0, 1, 2], 20)


def rays() -> tuple[np.ndarray, np.ndarray]:
    """Eight clusters, two on each of four rays: the outer looks like the inner, only more so."""
    labels = np.tile(np.arange(8), 20)
    centres = np.concatenate([np.eye(4), 4 * np.eye(4)])
    noise = np.random.default_rng(1).normal(scale=0.05, size=(len(labels), 4))
    return (centres[labels] + noise).astype(np.float32), labels


def compared(
    work_of: Callable[..., Any], vectors: np.ndarray, labels: np.ndarray
) -> dict[str, dict[str, float]]:
    rows = [Example(f"text {k}", f"label {label}") for k, label in enumerate(labels)]
    work = work_of(rows)
    return abstention.compare_by_leaving_out(work, Probe(vectors, None, 10.0), labels)


def test_means_are_those_of_each_class() -> None:
    found = abstention.reference_arrays("mahalanobis", VECTORS, LABELS, 0)["means"]

    np.testing.assert_allclose(found, [VECTORS[k == LABELS].mean(axis=0) for k in range(3)], 1e-5)


def test_precision_inverts_the_covariance_within_classes_and_a_little_more() -> None:
    model = LinearDiscriminantAnalysis(solver="lsqr", store_covariance=True)
    covariance = model.fit(VECTORS, LABELS).covariance_

    found = abstention.reference_arrays("mahalanobis", VECTORS, LABELS, 0)["precision"]

    ridged = covariance + 0.05 * np.trace(covariance) / 4 * np.eye(4)
    np.testing.assert_allclose(found @ ridged, np.eye(4), atol=1e-5)


def test_classes_without_rows_have_no_mean() -> None:
    found = abstention.reference_arrays("mahalanobis", VECTORS, LABELS * 5, 0)

    assert found["means"].shape == (3, 4)


def test_one_row_a_class_still_gives_a_precision() -> None:
    found = abstention.reference_arrays("mahalanobis", VECTORS[:3], np.arange(3), 0)

    assert np.isfinite(found["precision"]).all()


def test_neighbours_are_a_sample_of_the_training_rows() -> None:
    many = RANDOM.normal(size=(1500, 2)).astype(np.float16)

    found = abstention.reference_arrays("knn", many, np.zeros(1500), 0)["references"]

    assert (found.shape, found.dtype) == ((1000, 2), np.float16)
    assert {tuple(row) for row in found.tolist()} <= {tuple(row) for row in many.tolist()}


@pytest.mark.parametrize("method", ["energy", "max_softmax"])
def test_scores_of_logits_need_no_reference(method: str) -> None:
    assert abstention.reference_arrays(method, VECTORS, LABELS, 0) == {}


@pytest.mark.parametrize("share", [0.0, 0.02, 0.1])
def test_the_rule_turns_away_the_share_asked_for(share: float) -> None:
    judged = Outputs(RANDOM.normal(size=(200, 5)))

    rule = abstention.rule_for("energy", judged, {}, share, {})

    energy = np.log(np.exp(np.asarray(judged.logits)).sum(axis=1))
    assert rule.abstention is not None
    assert (energy < rule.abstention.threshold - 1e-9).sum() == round(200 * share)
    assert rule.evidence["in_scope_rejected"] == pytest.approx(share)


def test_the_score_that_tells_a_left_out_class_apart_comes_out_best(
    work_of: Callable[..., Any],
) -> None:
    found = compared(work_of, *rays())

    areas = {name: figures["auroc"] for name, figures in found.items()}
    assert areas["mahalanobis"] > 0.99
    assert areas["mahalanobis"] > areas["max_softmax"] + 0.05


def test_what_is_found_at_the_default_is_counted(work_of: Callable[..., Any]) -> None:
    found = compared(work_of, *rays())

    assert found["mahalanobis"]["recall_at_default"] > 0.95


def test_left_out_classes_that_look_like_the_others_are_not_found(
    work_of: Callable[..., Any],
) -> None:
    labels = np.tile(np.arange(8), 40)
    vectors = np.random.default_rng(2).normal(size=(320, 4)).astype(np.float32)

    found = compared(work_of, vectors, labels)

    assert all(0.35 < figures["auroc"] < 0.65 for figures in found.values())


def test_nothing_is_compared_where_no_left_out_class_is_judged(work_of: Callable[..., Any]) -> None:
    labels = np.arange(5)
    work = work_of([Example(str(k), str(k)) for k in labels], held=[0])
    probe = Probe(np.eye(5, dtype=np.float32), None, 10.0)

    assert abstention.compare_by_leaving_out(work, probe, labels) == {}


def test_rows_that_nearly_repeat_another_set_no_threshold() -> None:
    letters = np.random.default_rng(0).integers(97, 123, (300, 40))
    rows = [Example("".join(map(chr, row))) for row in letters]
    rows[7] = Example(rows[250].text[:-1] + "x")
    judged = np.arange(0, 300, 2)

    found = abstention.fresh(rows, judged)

    assert judged[found].tolist() == [k for k in judged.tolist() if k not in (7, 250)]


def test_all_rows_count_where_few_are_new() -> None:
    rows = [Example(f"where is my parcel number {k % 10}") for k in range(300)]

    assert abstention.fresh(rows, np.arange(150)).tolist() == list(range(150))
