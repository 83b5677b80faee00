"""TF-IDF features and one matrix: features.json and linear.safetensors, no network, no torch.

Shapes: N inputs, F features, K labels.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from takeroot.bundle.arrays import read_arrays
from takeroot.bundle.features import NgramFeatures
from takeroot.bundle.outputs import Outputs
from takeroot.bundle.runtimes.runtime import Read
from takeroot.bundle.spec import Input, Spec
from takeroot.bundle.text import joined
from takeroot.errors import BundleError

FEATURES = "features.json"
WEIGHTS = "linear.safetensors"  # coef (F, K) float16, intercept (K,), idf (F,)


class LinearRuntime:
    """Logits are ``features @ coef + intercept``, each input computed by itself."""

    def __init__(self, spec: Spec, read: Read, *, threads: int) -> None:
        del threads  # a text takes microseconds, most of them in dictionary lookups
        arrays = read_arrays(read(WEIGHTS), WEIGHTS, ("coef", "intercept", "idf"))
        self._normalisation = spec.normalisation
        self._features = NgramFeatures.from_json(_json(read(FEATURES)), arrays["idf"])
        self._coef = arrays["coef"].astype(np.float32)
        self._intercept = arrays["intercept"].astype(np.float32)
        wanted = (len(self._features.idf), len(spec.labels))
        if self._coef.shape != wanted or self._intercept.shape != wanted[1:]:
            found = f"coef is {self._coef.shape} and intercept {self._intercept.shape}"
            raise BundleError(f"{WEIGHTS}: {found}, must be {wanted} and {wanted[1:]}")

    def run(self, inputs: Sequence[Input]) -> Outputs:
        """Logits (N, K), without embedding."""
        found = self._features.transform(joined(inputs, self._normalisation))
        logits = np.empty((len(inputs), len(self._intercept)), np.float32)
        ends = found.indptr.tolist()
        for row, (start, end) in enumerate(pairwise(ends)):
            # Row by row: the order of summation must not depend on the neighbours.
            logits[row] = found.data[start:end] @ self._coef[found.indices[start:end]]
        return Outputs(logits + self._intercept)


def _json(data: bytes) -> Any:
    """The values of features.json."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{FEATURES}: not JSON: {error}") from error
