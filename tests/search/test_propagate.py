from __future__ import annotations

import numpy as np
import pytest

from takeroot.search.propagate import NEIGHBOURS, affinities, joined, propagate


@pytest.fixture
def two_strings() -> np.ndarray:
    """Two arcs of unit vectors (2 x 30, 3), neighbours close by; the first of each is labelled."""
    angles = np.linspace(0, 1.2, 30)
    low = np.stack([np.cos(angles), np.sin(angles), 0 * angles], axis=1)
    high = np.stack([0.2 * np.cos(angles), 0.2 * np.sin(angles), 0 * angles + 0.98], axis=1)
    both = np.concatenate([low[:1], high[:1], low[1:], high[1:]])
    return (both / np.linalg.norm(both, axis=1, keepdims=True)).astype(np.float32)


def test_a_label_reaches_what_is_linked_to_it(two_strings: np.ndarray) -> None:
    believed = np.full((58, 2), 0.5, np.float32)

    found = propagate(affinities(two_strings), np.eye(2), believed)

    assert found.argmax(axis=1).tolist() == [0] * 29 + [1] * 29
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)


def test_the_weights_are_those_of_the_nearest_by_hand() -> None:
    vectors = np.eye(NEIGHBOURS + 2, dtype=np.float32)
    vectors[1] = vectors[0] * 0.6 + vectors[1] * 0.8  # cosine 0.6 to the first, 0 between others

    found = affinities(vectors).toarray()

    assert found[0, 1] == pytest.approx(2 * np.exp((0.6 - 1) / 0.1), rel=1e-5)  # each other's
    assert (found == found.T).all() and not found.diagonal().any()


def test_without_links_the_belief_stays() -> None:
    from scipy.sparse import csr_matrix

    believed = np.array([[0.6, 0.4], [0.2, 0.8]], np.float32)

    found = propagate(csr_matrix((3, 3), dtype=np.float32), np.array([[1.0, 0.0]]), believed)

    squared = believed**2
    np.testing.assert_allclose(found, squared / squared.sum(axis=1, keepdims=True), atol=1e-6)


def test_in_a_joined_graph_each_one_weighs_the_same() -> None:
    from scipy.sparse import csr_matrix

    light = csr_matrix([[0, 1, 0], [1, 0, 0], [0, 0, 0]], dtype=float)
    heavy = csr_matrix([[0, 0, 9], [0, 0, 0], [9, 0, 0]], dtype=float)

    found = joined([light, heavy]).toarray()

    # every degree is the one link's weight: 1 / sqrt(1 * 1) and 9 / sqrt(9 * 9)
    np.testing.assert_allclose(found, [[0, 1, 1], [1, 0, 0], [1, 0, 0]])
    assert joined([heavy]) is heavy
