"""The one way to run a model: from a verified bundle to answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from takeroot.bundle.abstain import REFERENCE_ARRAYS, prepare
from takeroot.bundle.answer import Answer
from takeroot.bundle.arrays import read_arrays
from takeroot.bundle.cores import usable_cores
from takeroot.bundle.decode import decode
from takeroot.bundle.open import REFERENCE, Bundle, open_bundle
from takeroot.bundle.outputs import Outputs
from takeroot.bundle.runtimes import RUNTIMES
from takeroot.bundle.spec import Input, Spec
from takeroot.errors import DataError


class Predictor:
    """Answers for texts. It may be called from several threads at once.

    Args:
        bundle: What ``open_bundle`` gave.
        threads: How many threads compute; None for one a core this process may use.

    Raises:
        BundleError: If the bundle's files do not fit each other.
    """

    def __init__(self, bundle: Bundle, threads: int | None = None) -> None:
        self.spec: Spec = bundle.spec
        self.sha256: str = bundle.sha256
        self.reference: Mapping[str, np.ndarray] = _reference(bundle)
        build = RUNTIMES[self.spec.runtime]
        self._runtime = build(self.spec, bundle.read, threads=threads or usable_cores())

    def outputs(self, inputs: Sequence[Input]) -> Outputs:
        """Raw outputs, before calibration and decisions.

        Raises:
            DataError: If an input is not a text (or, for pair, not two texts).
        """
        _check(inputs, paired=self.spec.task == "pair")
        return self._runtime.run(inputs)

    def predict(self, inputs: Sequence[Input]) -> list[Answer]:
        """One answer for each input; none depends on the other inputs.

        Raises:
            DataError: If an input is not a text (or, for pair, not two texts).
        """
        return self.answers(self.outputs(inputs), inputs)

    def answers(self, outputs: Outputs, inputs: Sequence[Input]) -> list[Answer]:
        """The answers that the raw outputs for some inputs mean."""
        return decode(self.spec, outputs, self.reference, inputs)


def load_predictor(path: Path | str, threads: int | None = None) -> Predictor:
    """A predictor for the bundle in folder ``path``, after verifying it.

    Args:
        path: The bundle's folder.
        threads: How many threads compute; None for one a core this process may use.

    Raises:
        BundleError: If the bundle is incomplete, changed, or of an unknown format.
    """
    return Predictor(open_bundle(Path(path)), threads)


def _reference(bundle: Bundle) -> Mapping[str, np.ndarray]:
    """The arrays that abstention compares with."""
    if bundle.spec.abstention is None:
        return {}
    method = bundle.spec.abstention.method
    names = REFERENCE_ARRAYS[method]
    arrays = read_arrays(bundle.read(REFERENCE), REFERENCE, names) if names else {}
    return prepare(method, arrays)


def _check(inputs: Sequence[Input], *, paired: bool) -> None:
    """Refuse what is not a list of texts, naming the first that is not."""
    if isinstance(inputs, str):
        raise DataError(f"inputs: need a list of texts, got one text {inputs!r:.60}; put it in [ ]")
    for row, item in enumerate(inputs):
        if isinstance(item, str) is paired or not (isinstance(item, str) or _is_pair(item)):
            wanted = "a pair of texts" if paired else "a text"
            raise DataError(f"input {row}: need {wanted}, got {item!r:.60}")


def _is_pair(item: object) -> bool:
    """Whether the input is two texts."""
    return (
        isinstance(item, tuple) and len(item) == 2 and all(isinstance(part, str) for part in item)
    )
