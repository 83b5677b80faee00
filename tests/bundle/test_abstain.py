from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.special import logsumexp, softmax
from sklearn.neighbors import NearestNeighbors

from takeroot.bundle.abstain import (
    OUT_OF_SCOPE,
    REFERENCE_ARRAYS,
    energy,
    knn,
    mahalanobis,
    max_softmax,
    prepare,
)
from takeroot.errors import BundleError

rng = np.random.default_rng(0)
LOGITS = rng.normal(size=(50, 7)) * 40
VECTORS = rng.normal(size=(50, 6))
VECTORS /= np.linalg.norm(VECTORS, axis=1, keepdims=True)
_ROOT = rng.normal(size=(6, 6))
ARRAYS = {
    "means": rng.normal(size=(7, 6)),
    "precision": _ROOT @ _ROOT.T + np.eye(6),
    "references": VECTORS[10:40],
}


def test_energy_is_scipys_logsumexp():
    np.testing.assert_allclose(energy(LOGITS), logsumexp(LOGITS, axis=1), rtol=1e-12)


def test_max_softmax_is_scipys():
    np.testing.assert_allclose(max_softmax(LOGITS), softmax(LOGITS, axis=1).max(axis=1), rtol=1e-12)


def test_mahalanobis_is_scipys_distance_to_the_nearest_mean():
    expected = -cdist(VECTORS, ARRAYS["means"], "mahalanobis", VI=ARRAYS["precision"]).min(axis=1)

    found = mahalanobis(VECTORS, ARRAYS["means"], ARRAYS["precision"])

    np.testing.assert_allclose(found, -(expected**2), rtol=1e-9)


@pytest.mark.parametrize("neighbours", [1, 5, 30, 99])
def test_knn_is_scikit_learns_distance_to_the_last_neighbour(neighbours):
    count = min(neighbours, 30)
    model = NearestNeighbors(n_neighbors=count).fit(ARRAYS["references"])
    expected = -model.kneighbors(VECTORS)[0][:, -1]

    found = knn(VECTORS, ARRAYS["references"], neighbours)

    np.testing.assert_allclose(found, expected, atol=1e-3)  # float32 similarities near 1


def test_knn_in_blocks_is_knn_at_once(monkeypatch):
    whole = knn(VECTORS, ARRAYS["references"], 3)
    monkeypatch.setattr("takeroot.bundle.abstain._BLOCK", 60)

    np.testing.assert_allclose(knn(VECTORS, ARRAYS["references"], 3), whole, atol=1e-3)


@pytest.mark.parametrize("method", OUT_OF_SCOPE)
def test_prepared_arrays_give_the_same_scores(method):
    score = OUT_OF_SCOPE[method]

    plain = score(LOGITS, VECTORS, ARRAYS, 3)
    prepared = score(LOGITS, VECTORS, prepare(method, ARRAYS), 3)

    assert plain.shape == (50,)
    np.testing.assert_allclose(plain, prepared, rtol=1e-6)


@pytest.mark.parametrize("method", ["mahalanobis", "knn"])
def test_a_method_on_vectors_says_so_where_there_are_none(method):
    with pytest.raises(BundleError, match=f"{method}.*needs text vectors"):
        OUT_OF_SCOPE[method](LOGITS, None, ARRAYS, 1)


@pytest.mark.parametrize("method", ["mahalanobis", "knn"])
@pytest.mark.parametrize("bad", [np.zeros((0, 6)), np.zeros(6), None])
def test_arrays_that_cannot_be_compared_with_are_refused(method, bad):
    name = REFERENCE_ARRAYS[method][0]
    arrays = {**ARRAYS, name: bad} if bad is not None else {}

    with pytest.raises(BundleError, match="must be a matrix"):
        prepare(method, arrays)


def test_means_and_precision_must_fit():
    with pytest.raises(BundleError, match="do not fit"):
        prepare("mahalanobis", {"means": np.ones((2, 3)), "precision": np.ones((4, 4))})


def test_every_method_has_its_arrays_declared():
    assert OUT_OF_SCOPE.keys() == REFERENCE_ARRAYS.keys()
