"""What every runtime does: inputs in, raw outputs out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from takeroot.bundle.outputs import Outputs
from takeroot.bundle.spec import Input, Spec

Read = Callable[[str], bytes]  # the content of a bundle's file, by its path in the bundle


class Runtime(Protocol):
    """Runs one model. ``run`` may be called from several threads at once and keeps nothing."""

    def run(self, inputs: Sequence[Input]) -> Outputs:
        """Outputs in the order of the inputs; none depends on another input."""


class RuntimeFactory(Protocol):
    """Builds a runtime from a bundle's files."""

    def __call__(self, spec: Spec, read: Read, *, threads: int) -> Runtime:
        """The runtime.

        Args:
            spec: The bundle's spec.
            read: Gives the content of a file.
            threads: How many threads may compute at once.

        Raises:
            BundleError: If a file is missing or cannot be used.
        """
