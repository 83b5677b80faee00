"""What the server and its worker processes tell each other, over a Unix socket pair.

A frame is its length (4 bytes, little-endian) and a MessagePack value; the messages form a closed
set of types, and nothing in them is code.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Literal

import msgspec

from takeroot.bundle.answer import Answer
from takeroot.bundle.chat import Chat

MAX_FRAME = 256 << 20
_LENGTH = struct.Struct("<I")

Input = str | tuple[str, str]
Prompt = str | Chat
Form = Literal["json", "answers"]


class Load(msgspec.Struct, tag=True, array_like=True):
    """To a worker: verify and open the bundle in a folder, and run it once."""

    key: str
    path: str


class Unload(msgspec.Struct, tag=True, array_like=True):
    """To a worker: forget a model."""

    key: str


class Run(msgspec.Struct, tag=True, array_like=True):
    """To a worker: answer texts.

    Args:
        number: Of the run; the reply bears it.
        key: The model.
        inputs: Texts, or pairs of texts.
        form: ``json`` for answers written in JSON, ready to be sent.
        top_k: Most probabilities an answer in JSON lists; None for all, 0 for none.
    """

    number: int
    key: str
    inputs: list[Input]
    form: Form
    top_k: int | None


class Wanted(msgspec.Struct, array_like=True):
    """A text that shall be written.

    Args:
        prompt: What is asked.
        limit: Most tokens of the answer.
        form: Of the answer.
        told: Whether its pieces are wanted as they are written.
    """

    prompt: Prompt
    limit: int
    form: Form
    told: bool


class Write(msgspec.Struct, tag=True, array_like=True):
    """To a worker: write texts, beside whatever else it is asked."""

    number: int
    key: str
    texts: list[Wanted]


class Leave(msgspec.Struct, tag=True, array_like=True):
    """To a worker: nobody waits for a text of a run any more; ``place`` is its place there."""

    number: int
    place: int


class Loaded(msgspec.Struct, tag=True, array_like=True):
    """From a worker: a model answers. ``spec`` is bundle.json as it stands."""

    key: str
    sha256: str
    created: str
    spec: bytes


class Failed(msgspec.Struct, tag=True, array_like=True):
    """From a worker: a bundle cannot be used, and why."""

    key: str
    message: str


class Done(msgspec.Struct, tag=True, array_like=True):
    """From a worker: what came of a run.

    Args:
        number: The run's.
        json: Answers in JSON, or
        answers: as values, by the form asked for.
        tokens: Tokens read of each text.
        abstained: Whether each text was left without an answer.
        compute_ns: Computing time.
    """

    number: int
    json: list[bytes]
    answers: list[Answer]
    tokens: list[int]
    abstained: list[bool]
    compute_ns: int


class Broken(msgspec.Struct, tag=True, array_like=True):
    """From a worker: a run failed; the error's type, never its text."""

    number: int
    error: str


class Told(msgspec.Struct, tag=True, array_like=True):
    """From a worker: the next piece of a text that is being written."""

    number: int
    place: int
    text: str


class Wrote(msgspec.Struct, tag=True, array_like=True):
    """From a worker: a text is written.

    Args:
        number: The run's.
        place: The text's place in it.
        answer: In JSON, or as a value, by the form asked for.
        read: Tokens of what was asked.
        written: Tokens of the text.
        compute_ns: Since the run began.
    """

    number: int
    place: int
    answer: bytes | Answer
    read: int
    written: int
    compute_ns: int


class TooLong(msgspec.Struct, tag=True, array_like=True):
    """From a worker: the model does not read so long a prompt; ``limit`` tokens are the most."""

    number: int
    place: int
    limit: int


class Ended(msgspec.Struct, tag=True, array_like=True):
    """From a worker: a run of texts to write is over; ``error`` is the type of what stopped it."""

    number: int
    error: str | None = None


ToWorker = Load | Unload | Run | Write | Leave
FromWorker = Loaded | Failed | Done | Broken | Told | Wrote | TooLong | Ended

_encoder = msgspec.msgpack.Encoder()


def frame(message: ToWorker | FromWorker) -> bytes:
    """A message as it is sent."""
    body = _encoder.encode(message)
    return _LENGTH.pack(len(body)) + body


class Frames:
    """Puts received pieces together again."""

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Bodies of the messages that are whole now.

        Raises:
            ValueError: If a frame is longer than any that is sent.
        """
        self._held += data
        while len(self._held) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._held)
            if length > MAX_FRAME:
                raise ValueError(f"a frame of {length} bytes; at most {MAX_FRAME}")
            end = _LENGTH.size + length
            if len(self._held) < end:
                return
            yield bytes(self._held[_LENGTH.size : end])
            del self._held[:end]
