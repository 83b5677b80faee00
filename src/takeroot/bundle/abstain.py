"""How much a text looks like the training data: out-of-scope scores that need no such examples.

Every score is higher the more a text is in scope; a text below the bundle's threshold is answered
with ``abstained``. All are computed from what the network gives anyway.

- energy: ``log sum_k exp(z_k)`` (Liu et al. 2020, arXiv:2010.03759, equation 4, temperature 1,
  sign turned round).
- max_softmax: ``max_k softmax(z)_k`` (Hendrycks & Gimpel 2017, arXiv:1610.02136).
- mahalanobis: ``-min_k (x - m_k)' P (x - m_k)`` with class means m and the shared precision P
  (Lee et al. 2018, arXiv:1807.03888, equation 2; here on the text vector only).
- knn: minus the distance to the k-th nearest training vector (Sun et al. 2022, arXiv:2204.06507).

Shapes: N texts, K labels, H hidden, R reference rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from takeroot.errors import BundleError

_BLOCK = 4_000_000  # similarities held at a time: 16 MB

Reference = Mapping[str, np.ndarray]
Score = Callable[[np.ndarray, np.ndarray | None, Reference, int], np.ndarray]


def energy(logits: np.ndarray) -> np.ndarray:
    """Log of the summed exponentials of logits (N, K), as (N,)."""
    highest = logits.max(axis=1, keepdims=True)
    summed = np.exp(logits - highest).sum(axis=1)
    return np.asarray(np.log(summed) + highest[:, 0])


def max_softmax(logits: np.ndarray) -> np.ndarray:
    """The largest softmax probability of each row of logits (N, K), as (N,)."""
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(1 / shifted.sum(axis=1))


def mahalanobis(
    embedding: np.ndarray,
    means: np.ndarray,
    precision: np.ndarray,
    projected: np.ndarray | None = None,
) -> np.ndarray:
    """Minus the squared Mahalanobis distance of embedding (N, H) to the nearest mean, as (N,).

    Args:
        embedding: Text vectors (N, H).
        means: Mean vector of each label (K, H).
        precision: Inverse of the shared covariance (H, H), symmetric.
        projected: ``means @ precision`` (K, H), where it is at hand.
    """
    x, m, p = (np.asarray(array, np.float64) for array in (embedding, means, precision))
    projected = m @ p if projected is None else projected
    own = ((x @ p) * x).sum(axis=1, keepdims=True)  # (N, 1)
    distances = own - 2 * (x @ projected.T) + (projected * m).sum(axis=1)  # (N, K)
    return -np.asarray(distances.min(axis=1))


def knn(embedding: np.ndarray, references: np.ndarray, neighbours: int) -> np.ndarray:
    """Minus the distance of embedding (N, H) to its k-th nearest reference, as (N,).

    Args:
        embedding: Text vectors (N, H) of unit length.
        references: Training vectors (R, H) of unit length.
        neighbours: k; the farthest reference counts where there are fewer.
    """
    references = np.asarray(references, np.float32)
    rank = min(neighbours, len(references))
    scores = np.empty(len(embedding), np.float32)
    step = max(1, _BLOCK // len(references))
    for start in range(0, len(embedding), step):
        similar = embedding[start : start + step].astype(np.float32) @ references.T  # (n, R)
        nearest = np.partition(similar, len(references) - rank, axis=1)[:, len(references) - rank]
        scores[start : start + step] = -np.sqrt(np.maximum(2 - 2 * nearest, 0))
    return scores


def _need(embedding: np.ndarray | None, method: str) -> np.ndarray:
    """The embedding, which some runtimes do not give."""
    if embedding is None:
        raise BundleError(f"abstention.method: {method!r} needs text vectors; the runtime has none")
    return embedding


OUT_OF_SCOPE: dict[str, Score] = {
    "energy": lambda logits, _embedding, _reference, _neighbours: energy(logits),
    "max_softmax": lambda logits, _embedding, _reference, _neighbours: max_softmax(logits),
    "mahalanobis": lambda _logits, embedding, reference, _neighbours: mahalanobis(
        _need(embedding, "mahalanobis"),
        reference["means"],
        reference["precision"],
        reference.get("projected"),
    ),
    "knn": lambda _logits, embedding, reference, neighbours: knn(
        _need(embedding, "knn"), reference["references"], neighbours
    ),
}
REFERENCE_ARRAYS: dict[str, tuple[str, ...]] = {
    "energy": (),
    "max_softmax": (),
    "mahalanobis": ("means", "precision"),
    "knn": ("references",),
}


def prepare(method: str, arrays: Reference) -> dict[str, np.ndarray]:
    """The reference arrays in the form that scores fastest, to be made once a process.

    Raises:
        BundleError: If an array the method compares with is missing, empty, or not a matrix.
    """
    names = REFERENCE_ARRAYS[method]
    for name in names:
        shape = arrays[name].shape if name in arrays else None
        if shape is None or len(shape) != 2 or 0 in shape:
            raise BundleError(f"abstention.method {method!r}: {name} must be a matrix, is {shape}")
    if method == "mahalanobis":
        means, precision = (arrays[name].astype(np.float64) for name in names)
        if precision.shape != (means.shape[1],) * 2:
            found = f"{means.shape} and {precision.shape}"
            raise BundleError(f"mahalanobis: means and precision do not fit: {found}")
        return {"means": means, "precision": precision, "projected": means @ precision}
    return {name: arrays[name].astype(np.float32) for name in names}
