"""What labels texts without labels probably have, from labelled ones near them.

Label propagation with local and global consistency (Zhou, Bousquet, Lal, Weston and Schölkopf, NIPS
2003), on a graph of each text's nearest neighbours by cosine (as in Iscen et al. 2019,
arXiv:1904.04717, section 3.2):

    F <- a S F + (1 - a) Y,    S = D^-1/2 (A + A^T) D^-1/2,    A_ij = exp((cos_ij - 1) / t)

Where we differ: the rows of Y of texts without labels are not zero but what the model that is there
already says of them, so that texts far from every labelled one keep an opinion; labelled texts keep
their label, as Y is mixed in at every step. The result is squared and normalised: neighbours blur.

Cost: all N x N cosines once, a block of rows at a time; a step costs NEIGHBOURS x N x K.
Shapes: N texts, L labelled ones of them (first), H hidden size, K labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix, diags
from threadpoolctl import threadpool_limits

NEIGHBOURS = 10
TEMPERATURE = 0.1
SPREAD = 0.8  # a: share of a text's chances that comes from its neighbours
STEPS = 20
BLOCK = 1000  # rows whose cosines are held at a time


def affinities(vectors: np.ndarray) -> Any:
    """The graph's weights A + A^T (N, N), sparse, of unit vectors (N, H)."""
    count = len(vectors)
    near = min(NEIGHBOURS, count - 1)
    places = np.empty((count, near), np.int64)
    weights = np.empty((count, near), np.float32)
    with threadpool_limits(1, "blas"):  # so that the same vectors give the same bits
        for start in range(0, count, BLOCK):
            cosines = vectors[start : start + BLOCK] @ vectors.T
            rows = np.arange(len(cosines))
            cosines[rows, start + rows] = -np.inf  # not its own neighbour
            found = np.argpartition(-cosines, near - 1, axis=1)[:, :near]
            places[start : start + BLOCK] = found
            weights[start : start + BLOCK] = np.take_along_axis(cosines, found, axis=1)
    weights = np.exp((weights - 1) / TEMPERATURE)
    starts = np.arange(0, count * near + 1, near)
    graph = csr_matrix((weights.ravel(), places.ravel(), starts), shape=(count, count))
    return graph + graph.T


def joined(graphs: Sequence[Any]) -> Any:
    """One graph of several over the same texts, in which each of them weighs the same.

    Networks see different texts as near; what one of them errs in, the others rarely confirm.
    """
    return graphs[0] if len(graphs) == 1 else sum(_normalised(graph) for graph in graphs)


def propagate(graph: Any, known: np.ndarray, believed: np.ndarray) -> np.ndarray:
    """Probabilities (N - L, K) of the labels of the texts that have none.

    Args:
        graph: Of ``affinities``, labelled texts first.
        known: Targets of the labelled texts (L, K), 0 and 1.
        believed: What the model says of the others (N - L, K), rows adding up to 1.
    """
    smooth = _normalised(graph)
    start = np.concatenate([known, believed]).astype(np.float32)
    found = start
    for _ in range(STEPS):
        found = SPREAD * (smooth @ found) + (1 - SPREAD) * start
    sharp = found[len(known) :] ** 2
    return np.asarray(sharp / sharp.sum(axis=1, keepdims=True))


def _normalised(graph: Any) -> Any:
    """S of the formula above."""
    degrees = np.asarray(graph.sum(axis=1)).ravel()
    scale = diags(1 / np.sqrt(np.maximum(degrees, 1e-9)))
    return (scale @ graph @ scale).astype(np.float32)
