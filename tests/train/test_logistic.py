from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression

from takeroot.train.logistic import one_hot, solve

# Both stop a little before the minimum; logits of this problem reach about 5.
CLOSE = {"atol": 0.03, "rtol": 0.01}


def problem(labels: int = 3) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    centres = random.normal(size=(labels, 8))
    targets = np.arange(90) % labels
    noise = random.normal(size=(90, 8))
    return (centres[targets] + noise).astype(np.float32), targets


def reference(features: np.ndarray, targets: np.ndarray, c: float, weights=None) -> np.ndarray:
    model = LogisticRegression(C=c, tol=1e-8, max_iter=5000)
    model.fit(features.astype(np.float64), targets, sample_weight=weights)
    return np.squeeze(features @ model.coef_.T + model.intercept_)


def centred(logits: np.ndarray) -> np.ndarray:
    """Softmax logits without the constant of each row, which changes nothing."""
    return logits - logits.mean(axis=1, keepdims=True)


@pytest.mark.parametrize("c", [0.1, 1.0, 10.0])
def test_softmax_is_scikit_learns(c: float):
    features, targets = problem()

    found = solve(features, one_hot(targets, 3), c).logits(features)

    expected = centred(reference(features, targets, c))
    np.testing.assert_allclose(centred(found), expected, **CLOSE)


def test_each_label_of_any_number_is_scikit_learns():
    features, targets = problem()
    table = np.stack([targets == 0, targets != 1], axis=1)

    found = solve(features, table, 1.0).logits(features)

    for label in range(2):
        np.testing.assert_allclose(
            found[:, label], reference(features, table[:, label], 1.0), **CLOSE
        )


def test_one_label_a_row_by_chance_is_fitted_as_asked():
    features, targets = problem()

    found = solve(features, one_hot(targets, 3), 1.0, exclusive=False).logits(features)

    np.testing.assert_allclose(found[:, 0], reference(features, targets == 0, 1.0), **CLOSE)


def test_a_single_label_is_fitted_by_a_sigmoid():
    features, targets = problem(2)

    found = solve(features, targets[:, None], 1.0).logits(features)

    np.testing.assert_allclose(found[:, 0], reference(features, targets, 1.0), **CLOSE)


def test_row_weights_are_scikit_learns_sample_weights():
    features, targets = problem()
    weights = np.random.default_rng(1).uniform(0, 3, len(targets)).astype(np.float32)

    found = solve(features, one_hot(targets, 3), 1.0, row_weights=weights).logits(features)

    expected = centred(reference(features, targets, 1.0, weights))
    np.testing.assert_allclose(centred(found), expected, **CLOSE)


def test_sparse_features_give_the_same_as_dense_ones():
    features, targets = problem()
    features[features < 0.5] = 0
    dense = solve(features, one_hot(targets, 3), 1.0)

    sparse = solve(csr_matrix(features), one_hot(targets, 3), 1.0)

    np.testing.assert_allclose(sparse.weights, dense.weights, atol=1e-3)
    np.testing.assert_allclose(
        sparse.logits(csr_matrix(features)), dense.logits(features), atol=0.01
    )


def test_the_intercept_is_not_penalised():
    targets = one_hot(np.array([0] * 9 + [1]), 2)

    found = solve(np.zeros((10, 1), np.float32), targets, c=1e-3)

    assert float(np.diff(found.intercept)[0]) == pytest.approx(np.log(1 / 9), abs=0.01)
