"""Read the arrays of a safetensors file that has been verified already."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from takeroot.errors import BundleError


def read_arrays(data: bytes, where: str, names: Sequence[str]) -> dict[str, np.ndarray]:
    """The arrays called ``names``, all of them finite floating-point numbers.

    Args:
        data: Content of the file.
        where: Its name, for messages.
        names: What must be in it; others are left.

    Raises:
        BundleError: If it is no such file, an array is missing, or one is not finite.
    """
    from safetensors.numpy import load  # a bundle without arrays need not pay for it

    try:
        arrays = load(data)
    except Exception as error:  # safetensors raises one untyped error for every fault
        raise BundleError(f"{where}: not a safetensors file: {error}") from error
    for name in names:
        if name not in arrays:
            raise BundleError(f"{where}: no array {name!r}; there is: {', '.join(sorted(arrays))}")
        if arrays[name].dtype.kind != "f" or not np.isfinite(arrays[name]).all():
            raise BundleError(f"{where}: array {name!r} must hold finite floating-point numbers")
    return {name: arrays[name] for name in names}
