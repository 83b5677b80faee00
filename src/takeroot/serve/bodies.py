"""The bodies of native predict requests: for models of labels, and for models that write texts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from takeroot.bundle.chat import Chat, Role, Turn
from takeroot.serve.faults import ServeError
from takeroot.serve.packing import unpack
from takeroot.serve.wire import Prompt

JSON = b"application/json"
MOST_LISTED = 1_000_000  # probabilities an answer may be asked for

T = TypeVar("T")


class Options(msgspec.Struct, forbid_unknown_fields=True):
    """What an answer holds.

    Args:
        top_k: Only so many of the likeliest labels among ``probabilities``; all when absent.
        probabilities: Whether they are listed at all.
    """

    top_k: int | None = None
    probabilities: bool = True


class PredictRequest(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a predict request: texts, or for a pair task pairs of texts."""

    inputs: list[str | tuple[str, str]]
    options: Options = msgspec.field(default_factory=Options)


class WriteOptions(msgspec.Struct, forbid_unknown_fields=True):
    """What a text shall be.

    Args:
        max_new_tokens: Most tokens it has; the bundle's limit when absent.
        stream: Whether its pieces are sent as they are written.
    """

    max_new_tokens: int | None = None
    stream: bool = False


class ChatTurn(msgspec.Struct, forbid_unknown_fields=True):
    """A turn of a chat."""

    role: Role
    content: str


class WriteRequest(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a predict request to a model that writes: prompts, or chats as their turns."""

    inputs: list[str | list[ChatTurn]]
    options: WriteOptions = msgspec.field(default_factory=WriteOptions)


_decode_predict = msgspec.json.Decoder(PredictRequest).decode
_decode_write = msgspec.json.Decoder(WriteRequest).decode


@dataclass(frozen=True, slots=True)
class Body:
    """A body as it came.

    Args:
        headers: Of the request, by lower-case name.
        data: It.
        most: Bytes it may have, unpacked.
    """

    headers: Mapping[bytes, bytes]
    data: bytes
    most: int


def read_predict(body: Body) -> tuple[list[str | tuple[str, str]], int | None]:
    """The texts or pairs, and how many of the likeliest labels an answer lists (None: all).

    Raises:
        ServeError: unsupported_media_type, body_too_large, invalid_request.
    """
    found = _read(body, _decode_predict)
    top_k = found.options.top_k
    if top_k is not None and not 1 <= top_k <= MOST_LISTED:
        raise ServeError("invalid_request", reason=f"options.top_k is 1 to {MOST_LISTED}")
    return found.inputs, top_k if found.options.probabilities else 0


def read_write(body: Body) -> tuple[list[Prompt], WriteOptions]:
    """The prompts and chats, and what their texts shall be.

    Raises:
        ServeError: As ``read_predict``.
    """
    found = _read(body, _decode_write)
    return [each if isinstance(each, str) else _chat(each) for each in found.inputs], found.options


def _chat(turns: list[ChatTurn]) -> Chat:
    """The turns of a chat."""
    if not turns:
        raise ServeError("invalid_request", reason="a chat has no turn")
    return tuple(Turn(each.role, each.content) for each in turns)


def _read(body: Body, decode: Callable[[bytes], T]) -> T:
    """What a body says."""
    kind = body.headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    if kind != JSON:
        raise ServeError("unsupported_media_type", known="application/json")
    plain = unpack(body.data, body.headers.get(b"content-encoding", b""), body.most)
    try:
        return decode(plain)
    except msgspec.ValidationError as error:  # names a field and a type, never a value
        raise ServeError("invalid_request", reason=str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ServeError("invalid_request", reason="the body is not JSON in UTF-8") from None
