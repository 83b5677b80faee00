"""Embeddings from tokens that stand together, against a case worked by hand and numpy's SVD."""

from __future__ import annotations

import numpy as np
import torch
from scipy.sparse import csr_matrix

from takeroot.pretraining.cooccurrence import embeddings, largest, mutual_information
from takeroot.pretraining.token_file import TokenFile


def file_of(*documents: list[int]) -> TokenFile:
    ids = np.concatenate(documents).astype(np.uint16)
    ends = np.cumsum([len(each) for each in documents])
    return TokenFile(ids, np.ones(len(ids), np.uint8), ends, 0)


def test_mutual_information_is_that_of_the_formula() -> None:
    counts = csr_matrix(np.array([[0.0, 4.0, 1.0], [4.0, 0.0, 0.0], [1.0, 0.0, 2.0]]))
    rows = np.array([5.0, 4.0, 3.0])
    contexts = rows**0.75 / (rows**0.75).sum()

    found = mutual_information(counts).toarray()

    for i, j in ((0, 1), (1, 0), (2, 2)):
        assert np.isclose(found[i, j], np.log(counts[i, j] / rows[i] / contexts[j]))
    assert found[0, 2] == found[1, 2] == 0  # seen less than chance, or never


def test_largest_values_are_numpy_s() -> None:
    random = np.random.default_rng(0)
    matrix = random.normal(size=(60, 8)) @ random.normal(size=(8, 60))

    left, values = largest(csr_matrix(matrix), 8, random)

    expected = np.linalg.svd(matrix)
    assert np.allclose(values, expected[1][:8])
    assert np.allclose(np.abs((left * expected[0][:, :8]).sum(axis=0)), 1)


def test_tokens_with_the_same_neighbours_are_alike() -> None:
    documents = [[first, thing] for first in (1, 2) for thing in (5, 6)]
    documents += [[first, thing] for first in (3, 4) for thing in (7, 8)]

    table = embeddings(file_of(*documents * 20), vocabulary=12, hidden=4, seed=0)

    alike = torch.cosine_similarity(table[1], table[2], dim=0)
    strange = torch.cosine_similarity(table[1], table[3], dim=0)
    assert float(alike) > 0.99
    assert float(strange) < 0.5


def test_documents_do_not_neighbour_each_other() -> None:
    apart = embeddings(file_of([1, 2], [3, 4]), vocabulary=6, hidden=3, seed=0)
    turned = embeddings(file_of([3, 4], [1, 2]), vocabulary=6, hidden=3, seed=0)

    assert torch.allclose(apart, turned, atol=1e-6)


def test_embeddings_have_a_value_for_every_token_and_repeat_with_the_seed() -> None:
    file = file_of([1, 2, 3], [1, 3])

    first, again, other = (embeddings(file, 50, 16, seed) for seed in (0, 0, 1))

    assert first.shape == (50, 16)
    assert bool((first.abs().sum(dim=1) > 0).all())
    assert torch.equal(first, again)
    assert not torch.equal(first[40], other[40])
