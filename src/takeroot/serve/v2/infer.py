"""What REST and gRPC share of an inference: a request as values, and the tensors that answer it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import cast

import msgspec

from takeroot.serve.service import Reply, Service
from takeroot.serve.v2.signature import Column, Wanted, signature_of
from takeroot.serve.v2.tensors import invalid
from takeroot.serve.wire import Prompt


@dataclass(frozen=True, slots=True)
class Request:
    """A request for answers.

    Args:
        model: Name of the model.
        version: Its version; None for the newest.
        inputs: The texts of each input tensor, by its name.
        outputs: What is wanted; everything if empty.
        deadline: On the loop's clock; None for the server's own limit.
        max_tokens: Most tokens of an answer that is a text; the bundle's limit if absent.
        pieces: Whether that text is wanted in pieces, as it is written.
    """

    model: str
    version: str | None
    inputs: dict[str, list[str]]
    outputs: tuple[Wanted, ...] = ()
    deadline: float | None = None
    max_tokens: int | None = None
    pieces: bool = False


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer to a request: who gave it, and the tensors in the order they were wanted."""

    model: str
    version: str
    columns: list[Column]


async def infer(service: Service, request: Request) -> Answered:
    """Answer a request.

    Raises:
        ServeError: If it cannot be accepted, or not answered in time.
    """
    if request.pieces:
        raise invalid("the parameter stream is for streams of gRPC; over REST, generate_stream")
    info = service.find(request.model, request.version)
    signature = signature_of(info.spec.task, info.spec.labels)
    inputs = signature.read(request.inputs)
    wanted = signature.choose(request.outputs)
    # Nothing is awaited between find and predict, so that this version is still there.
    reply = await service.predict(
        info.name,
        inputs,
        version=info.version,
        deadline=request.deadline,
        max_new_tokens=request.max_tokens,
    )
    columns = [signature.column(each, reply.answers) for each in wanted]
    return Answered(reply.model, reply.version, columns)


async def infer_pieces(service: Service, request: Request) -> AsyncGenerator[tuple[Answered, bool]]:
    """The pieces of a text, each as ``text_output``, and at last how sure the model is of it.

    Yields:
        Tensors, and whether they are the last.

    Raises:
        ServeError: As ``infer``; or if the model writes no texts, or there is not one prompt.
    """
    info = service.find(request.model, request.version)
    signature = signature_of(info.spec.task, info.spec.labels)
    prompts = signature.read(request.inputs)
    if len(prompts) != 1 or request.outputs:
        raise invalid("a text in pieces has one prompt, and its outputs are not chosen")
    source = service.stream(
        info.name,
        cast(list[Prompt], prompts),
        version=info.version,
        deadline=request.deadline,
        max_new_tokens=request.max_tokens,
    )
    async with aclosing(source):
        async for item in source:
            last = isinstance(item, Reply)
            columns = _closing(item) if isinstance(item, Reply) else [_text(item[1])]
            yield Answered(info.name, info.version, columns), last


def _text(piece: str) -> Column:
    """A piece as a tensor."""
    return Column("text_output", "BYTES", (1,), [piece])


def _closing(reply: Reply[bytes]) -> list[Column]:
    """What is known of a text when it is written."""
    found = msgspec.json.decode(reply.answers[0])
    return [
        Column("confidence", "FP32", (1,), [found["confidence"]]),
        Column("reason", "BYTES", (1,), [found["reason"] or ""]),
    ]


def limit(value: object) -> int | None:
    """The parameter max_tokens, in either form of the protocol.

    Raises:
        ServeError: invalid_request if it is no number.
    """
    if value is None or (type(value) is int and 0 < value < 1 << 31):
        return value
    raise invalid("the parameter max_tokens is a number from 1")


def texts(values: list[bytes]) -> list[str]:
    """The texts of a BYTES tensor.

    Raises:
        ServeError: invalid_request if one is no UTF-8.
    """
    try:
        return [each.decode() for each in values]
    except UnicodeDecodeError as error:
        raise invalid("a text is not UTF-8") from error
