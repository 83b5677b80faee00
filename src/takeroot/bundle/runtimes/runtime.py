"""What every runtime does: inputs in, raw outputs out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from takeroot.bundle.outputs import Outputs, Written
from takeroot.bundle.prompts import Encoded
from takeroot.bundle.spec import AnyInput, Input, Spec

Read = Callable[[str], bytes]  # the content of a bundle's file, by its path in the bundle

# Number of an input, next piece of its answer (it may be empty), and with the last piece the whole
# answer: whether it shall go on.
Heard = Callable[[int, str, Written | None], bool]


class Runtime(Protocol):
    """Runs one model. ``run`` may be called from several threads at once and keeps nothing."""

    def run(self, inputs: Sequence[Input]) -> Outputs:
        """Outputs in the order of the inputs; none depends on another input."""


class Writer(Protocol):
    """A runtime whose answers are texts, which may be heard while they are written."""

    def encode(self, item: AnyInput) -> Encoded:
        """The tokens of an input."""

    def write(
        self,
        inputs: Sequence[AnyInput],
        *,
        max_new_tokens: Sequence[int] | None = None,
        heard: Heard | None = None,
    ) -> Outputs:
        """Outputs in the order of the inputs.

        Args:
            inputs: Prompts, chats or sources.
            max_new_tokens: Most tokens of each answer; the bundle's limit when absent.
            heard: Called from the threads that compute; it must not block.
        """


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
