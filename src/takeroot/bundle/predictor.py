"""The one way to run a model: from a verified bundle to answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import cast

import numpy as np

from takeroot.bundle.abstain import REFERENCE_ARRAYS, prepare
from takeroot.bundle.answer import Answer
from takeroot.bundle.arrays import read_arrays
from takeroot.bundle.chat import Chat, Turn
from takeroot.bundle.cores import usable_cores
from takeroot.bundle.decode import decode
from takeroot.bundle.open import REFERENCE, Bundle, open_bundle
from takeroot.bundle.outputs import Outputs
from takeroot.bundle.runtimes import RUNTIMES, Heard
from takeroot.bundle.runtimes.runtime import Writer
from takeroot.bundle.spec import AnyInput, Generation, Input, Spec
from takeroot.bundle.stream import streamed
from takeroot.errors import DataError

MOST_NEW = 65_536  # tokens an answer may be asked to have


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

    def outputs(self, inputs: Sequence[AnyInput], *, max_new_tokens: int | None = None) -> Outputs:
        """Raw outputs, before calibration and decisions.

        Args:
            inputs: Texts; for pair two each, for generate also chats.
            max_new_tokens: Most tokens of an answer that is a text; the bundle's limit if absent.

        Raises:
            DataError: If an input is not what the task reads, or ``max_new_tokens`` is not for it.
        """
        _check(inputs, self.spec.task)
        if max_new_tokens is None:
            return self._runtime.run(cast(Sequence[Input], inputs))
        return self.write(inputs, [max_new_tokens] * len(inputs))

    def predict(
        self, inputs: Sequence[AnyInput], *, max_new_tokens: int | None = None
    ) -> list[Answer]:
        """One answer for each input; none depends on the other inputs.

        Args:
            inputs: Texts; for pair two each, for generate also chats.
            max_new_tokens: Most tokens of an answer that is a text; the bundle's limit if absent.

        Raises:
            DataError: If an input is not what the task reads, or ``max_new_tokens`` is not for it.
        """
        return self.answers(self.outputs(inputs, max_new_tokens=max_new_tokens), inputs)

    def stream(self, item: str | Chat, *, max_new_tokens: int | None = None) -> Iterator[str]:
        """The answer to one input in pieces, as they are written; together they are its text.

        With beam search there is one piece, at the end. Leaving the loop ends the writing.

        Args:
            item: A prompt, chat or source.
            max_new_tokens: As for ``predict``.

        Raises:
            DataError: As for ``predict``, or if the model writes no texts.
        """
        how = self._generation("stream")
        _check([item], self.spec.task)
        limit = how.max_new_tokens if max_new_tokens is None else max_new_tokens
        return streamed(lambda heard: self.write([item], [limit], heard))

    def write(
        self,
        inputs: Sequence[AnyInput],
        max_new_tokens: Sequence[int],
        heard: Heard | None = None,
    ) -> Outputs:
        """Raw outputs of a model that writes texts, which are told while they are written.

        Args:
            inputs: Prompts, chats or sources.
            max_new_tokens: Most tokens of each answer.
            heard: Called for every token, from the threads that compute.

        Raises:
            DataError: If a limit is out of range, or the model writes no texts.
        """
        self._generation("max_new_tokens")
        for limit in max_new_tokens:
            if type(limit) is not int or not 1 <= limit <= MOST_NEW:
                raise DataError(f"max_new_tokens: 1 to {MOST_NEW}, got {limit!r}")
        writer = cast(Writer, self._runtime)
        return writer.write(inputs, max_new_tokens=max_new_tokens, heard=heard)

    def fits(self, item: AnyInput) -> bool:
        """Whether a model that writes texts reads an input whole; otherwise it would be cut.

        Raises:
            DataError: If the input cannot be asked, or the model writes no texts.
        """
        self._generation("fits")
        return not cast(Writer, self._runtime).encode(item).truncated

    def answers(self, outputs: Outputs, inputs: Sequence[AnyInput]) -> list[Answer]:
        """The answers that the raw outputs for some inputs mean."""
        return decode(self.spec, outputs, self.reference, cast(Sequence[Input], inputs))

    def _generation(self, what: str) -> Generation:
        """How the model writes."""
        if self.spec.generation is None:
            raise DataError(
                f"{what}: for models that write texts (generate, seq2seq), not {self.spec.task}"
            )
        return self.spec.generation


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


def _check(inputs: Sequence[AnyInput], task: str) -> None:
    """Refuse what is not a list of what the task reads, naming the first that is not."""
    if isinstance(inputs, str):
        raise DataError(f"inputs: need a list of texts, got one text {inputs!r:.60}; put it in [ ]")
    for row, item in enumerate(inputs):
        fits = _is_pair(item) if task == "pair" else isinstance(item, str)
        if not fits and not (task == "generate" and _is_chat(item)):
            wanted = {"pair": "a pair of texts", "generate": "a text or a tuple of turns"}
            raise DataError(f"input {row}: need {wanted.get(task, 'a text')}, got {item!r:.60}")


def _is_chat(item: object) -> bool:
    """Whether the input is the turns of a chat."""
    return isinstance(item, tuple) and bool(item) and all(isinstance(part, Turn) for part in item)


def _is_pair(item: object) -> bool:
    """Whether the input is two texts."""
    return (
        isinstance(item, tuple) and len(item) == 2 and all(isinstance(part, str) for part in item)
    )
