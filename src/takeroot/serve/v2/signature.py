"""The tensors of our models: which texts go in, and what comes out of their answers.

Shapes: n texts, K labels.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Any

import msgspec

from takeroot.bundle.answer import Answer
from takeroot.serve.v2.tensors import invalid, join
from takeroot.serve.wire import Input

Values = Callable[[Sequence[Answer], Sequence[str]], list[Any]]

_json = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class Wanted:
    """An output that is asked for.

    Args:
        name: Its name.
        top: How many of the highest elements of a row are wanted in words; 0 for the tensor.
        binary: Whether REST sends it after the JSON; None as the request says for all.
    """

    name: str
    top: int = 0
    binary: bool | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """An output tensor.

    Args:
        name: Its name.
        datatype: BYTES, FP32 or BOOL.
        shape: Its shape.
        values: The elements in row-major order, as str, float or bool.
        binary: As it was wanted.
    """

    name: str
    datatype: str
    shape: tuple[int, ...]
    values: list[Any]
    binary: bool | None = None

    def raw(self) -> bytes:
        """The elements in the protocol's binary form."""
        if self.datatype == "BYTES":
            return join([each.encode() for each in self.values])
        if self.datatype == "BOOL":
            return bytes(self.values)
        return struct.pack(f"<{len(self.values)}f", *self.values)


@dataclass(frozen=True)
class Output:
    """One kind of output.

    Args:
        datatype: BYTES, FP32 or BOOL.
        values: Its elements, from answers and the model's labels.
        wide: Whether it has an element a label, [n, K], and not one a text, [n].
    """

    datatype: str
    values: Values
    wide: bool = False


def _probabilities(answers: Sequence[Answer], labels: Sequence[str]) -> list[Any]:
    """Every answer's probabilities, in the order of the labels."""
    rows = (map(each.probabilities.__getitem__, labels) for each in answers)
    return list(chain.from_iterable(rows))


OUTPUTS: dict[str, Output] = {
    "label": Output("BYTES", lambda answers, _: [each.label or "" for each in answers]),
    "labels": Output("BYTES", lambda answers, _: [_in_json(each.labels) for each in answers]),
    "entities": Output("BYTES", lambda answers, _: [_in_json(each.entities) for each in answers]),
    "confidence": Output("FP32", lambda answers, _: [each.confidence for each in answers]),
    "probabilities": Output("FP32", _probabilities, wide=True),
    "abstained": Output("BOOL", lambda answers, _: [each.abstained for each in answers]),
    "reason": Output("BYTES", lambda answers, _: [each.reason or "" for each in answers]),
    "text_output": Output("BYTES", lambda answers, _: [each.text or "" for each in answers]),
}
_ONE_LABEL = ("label", "confidence", "probabilities", "abstained", "reason")
_WRITTEN = ("text_output", "confidence", "reason")
OUTPUTS_OF = {
    "classify": _ONE_LABEL,
    "pair": _ONE_LABEL,
    "multilabel": ("labels", *_ONE_LABEL[1:]),
    "tag": ("entities", "confidence"),
    "generate": _WRITTEN,
    "seq2seq": _WRITTEN,
}


@dataclass(frozen=True, eq=False)
class Signature:
    """The tensors of one model.

    Args:
        task: What it does.
        labels: In the order of its probabilities.
    """

    task: str
    labels: tuple[str, ...]

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the input tensors, each BYTES [n]."""
        return ("text", "second") if self.task == "pair" else ("text",)

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the output tensors."""
        return OUTPUTS_OF[self.task]

    def read(self, tensors: dict[str, list[str]]) -> list[Input]:
        """What the service takes for these input tensors.

        Raises:
            ServeError: invalid_request if they are not the model's.
        """
        if tuple(tensors) != self.inputs and set(tensors) != set(self.inputs):
            raise invalid(f"the inputs of this model are: {', '.join(self.inputs)}")
        if self.task != "pair":
            return list(tensors["text"])
        first, second = tensors["text"], tensors["second"]
        if len(first) != len(second):
            raise invalid("text and second must have as many elements as each other")
        return list(zip(first, second, strict=True))

    def choose(self, wanted: tuple[Wanted, ...]) -> tuple[Wanted, ...]:
        """The outputs to send: those wanted, or all.

        Raises:
            ServeError: invalid_request if one is not the model's, or cannot be given so.
        """
        if not wanted:
            return _all_of(self.task)
        names = [each.name for each in wanted]
        if not set(names) <= set(self.outputs):
            raise invalid(f"the outputs of this model are: {', '.join(self.outputs)}")
        if len(set(names)) < len(names):
            raise invalid("an output is asked for twice")
        if any(each.top and each.name != "probabilities" for each in wanted):
            raise invalid("only probabilities can be given as classification")
        return wanted

    def column(self, wanted: Wanted, answers: Sequence[Answer]) -> Column:
        """One output of these answers."""
        kind = OUTPUTS[wanted.name]
        values = kind.values(answers, self.labels)
        if wanted.top:
            return self._classification(wanted, values, len(answers))
        shape = (len(answers), len(self.labels)) if kind.wide else (len(answers),)
        return Column(wanted.name, kind.datatype, shape, values, wanted.binary)

    def _classification(self, wanted: Wanted, values: list[float], rows: int) -> Column:
        """The highest of each row, highest first, as ``value:index:label``."""
        count = len(self.labels)
        words = []
        for start in range(0, rows * count, count):
            row = values[start : start + count]
            best = sorted(range(count), key=row.__getitem__, reverse=True)[: wanted.top]
            words += [f"{row[index]:f}:{index}:{self.labels[index]}" for index in best]
        shape = (rows, min(wanted.top, count))
        return Column(wanted.name, "BYTES", shape, words, wanted.binary)


@lru_cache(maxsize=64)
def signature_of(task: str, labels: tuple[str, ...]) -> Signature:
    """The tensors of a model with this task and these labels."""
    return Signature(task, labels)


@lru_cache
def _all_of(task: str) -> tuple[Wanted, ...]:
    """All outputs, as tensors."""
    return tuple(map(Wanted, OUTPUTS_OF[task]))


def _in_json(values: object) -> str:
    """A list as JSON."""
    return _json.encode(values).decode()
