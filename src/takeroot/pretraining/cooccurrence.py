"""Token embeddings from which tokens stand near each other: where a network from scratch begins.

The positive pointwise mutual information of tokens within a window, factored by a truncated SVD, is
what skip-gram with negative sampling approaches (Levy and Goldberg 2014, "Neural word embedding as
implicit matrix factorization"; context counts smoothed with 0.75 and singular values weighted by
their root, as Levy, Goldberg and Dagan 2015, TACL 3, section 3). It takes seconds, where the first
hours of masked language modelling would be spent on learning the same. Where we differ: a pair at
distance d counts 1/sqrt(d), and the embeddings start a transformer instead of being the result.

    E = U sqrt(S),  U S V' ~ max(0, log p(i, j) / (p(i) p(j)^0.75))

The SVD is randomised (Halko, Martinsson and Tropp 2011, SIAM Review 53, algorithms 4.4 and 5.1):
products with the sparse matrix and orthonormal bases only.

Cost: a pass over at most 20 million tokens, and ten products of the sparse matrix with H vectors.

Shapes: S tokens, V vocabulary, H hidden.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.sparse import coo_matrix, csr_matrix
from torch import Tensor

from takeroot.pretraining.token_file import TokenFile

WINDOW = 10  # tokens to each side: wide ones tell topics apart
SMOOTHING = 0.75
MOST_TOKENS = 20_000_000  # counted; more would change little
CHUNK = 500_000  # tokens counted at a time
POWERS = 4  # products with the matrix and its transpose: they tell close values apart
SPARE = 16  # vectors more than asked for
DEVIATION = 0.05  # of the embeddings: above the positions', so that tokens are told apart first


def embeddings(file: TokenFile, vocabulary: int, hidden: int, seed: int) -> Tensor:
    """Embeddings (V, H) of all tokens; random where a token was not seen near another.

    Args:
        file: The documents.
        vocabulary: V.
        hidden: H.
        seed: Of the random ones, and of where the SVD starts.
    """
    random = np.random.default_rng(seed)
    table = random.normal(0, DEVIATION, (vocabulary, hidden))
    information = mutual_information(_counts(file, vocabulary))
    size = min(hidden, vocabulary)
    if information.nnz:
        left, values = largest(information, size, random)
        found = left * np.sqrt(values)
        seen = np.abs(found).sum(axis=1) > 0
        scale = DEVIATION / max(float(found[seen].std()), 1e-12)
        table[np.ix_(seen, np.arange(size))] = scale * found[seen]
    return torch.from_numpy(table.astype(np.float32))


def mutual_information(counts: csr_matrix) -> csr_matrix:
    """Positive pointwise mutual information (V, V) of counts (V, V) of tokens near each other."""
    rows = np.asarray(counts.sum(axis=1)).ravel()
    contexts = rows**SMOOTHING
    contexts = contexts / max(contexts.sum(), 1e-12)
    found = counts.tocoo()
    values = np.log(found.data / (rows[found.row] * contexts[found.col]))
    above = values > 0
    shape = counts.shape
    return csr_matrix((values[above], (found.row[above], found.col[above])), shape=shape)


def largest(
    matrix: csr_matrix, size: int, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Left singular vectors (V, H) and values (H,) of the largest ``size`` values."""
    wide = min(size + SPARE, matrix.shape[0])
    basis = np.linalg.qr(matrix @ random.normal(size=(matrix.shape[1], wide)))[0]
    for _ in range(POWERS):
        basis = np.linalg.qr(matrix.T @ basis)[0]
        basis = np.linalg.qr(matrix @ basis)[0]
    small = (matrix.T @ basis).T  # (wide, V)
    squares, turns = np.linalg.eigh(small @ small.T)  # rising
    order = np.argsort(-squares)[:size]
    return basis @ turns[:, order], np.sqrt(np.maximum(squares[order], 0))


def _counts(file: TokenFile, vocabulary: int) -> csr_matrix:
    """How often tokens stand near each other in a document, weighted by nearness (V, V)."""
    total = csr_matrix((vocabulary, vocabulary), dtype=np.float64)
    for first in range(0, min(len(file.ids), MOST_TOKENS), CHUNK):
        ids = file.ids[first : first + CHUNK].astype(np.int64)
        places = np.arange(first, first + len(ids))
        owner = np.searchsorted(file.ends, places, side="right")
        for distance in range(1, min(WINDOW, len(ids) - 1) + 1):
            near = owner[:-distance] == owner[distance:]
            left, right = ids[:-distance][near], ids[distance:][near]
            weight = np.full(len(left), distance**-0.5)
            shape = (vocabulary, vocabulary)
            total += coo_matrix((weight, (left, right)), shape=shape).tocsr()
    return total + total.T
