"""The generate extension of the V2 protocol: one prompt in, its text out, whole or in pieces.

``POST …/generate`` and ``…/generate_stream`` as the Triton Inference Server has them, for models
that write texts: ``{"text_input", "parameters": {"max_tokens"}}`` to ``{"text_output"}``.
"""

from __future__ import annotations

from typing import Any

import msgspec

from takeroot.serve.events import CONTENT_TYPE, HEADERS, Events, Form, Item
from takeroot.serve.faults import ServeError
from takeroot.serve.refusal import Headers
from takeroot.serve.service import Reply, Service
from takeroot.serve.v2.tensors import invalid

_encode = msgspec.json.Encoder().encode


class _Parameters(msgspec.Struct, forbid_unknown_fields=True):
    """What the text shall be; the likeliest is written, so no temperature but 0 is taken."""

    max_tokens: int | None = None
    temperature: float = 0.0
    stream: bool | None = None


class Body(msgspec.Struct, forbid_unknown_fields=True):
    """A prompt; ``max_tokens`` may stand beside it or among the parameters."""

    text_input: str
    id: str = ""
    max_tokens: int | None = None
    stream: bool | None = None
    parameters: _Parameters = msgspec.field(default_factory=_Parameters)


decoder = msgspec.json.Decoder(Body)


async def whole(service: Service, model: tuple[str, str | None], body: Body, **how: Any) -> bytes:
    """The text, as a response's body.

    Raises:
        ServeError: If it cannot be written.
    """
    name, version = model
    limit = _limit(body)
    reply = await service.predict(
        name, [body.text_input], version=version, max_new_tokens=limit, **how
    )
    return _written(reply.model, reply.version, reply.answers[0].text or "", body.id)


async def pieces(
    service: Service, model: tuple[str, str | None], body: Body, **how: Any
) -> tuple[Headers, Events]:
    """The text in pieces, as server-sent events.

    Raises:
        ServeError: If it cannot be begun.
    """
    name, version = model
    info = service.find(name, version)
    source = service.stream(
        name, [body.text_input], version=info.version, max_new_tokens=_limit(body), **how
    )

    def write(item: Item) -> bytes:
        if isinstance(item, Reply):
            return b""
        return _written(info.name, info.version, item[1], body.id)

    first = await anext(source)  # what goes wrong before it has its own status
    events = Events(first, source, Form(write, lambda error: _encode({"error": error.message})))
    return [(b"content-type", CONTENT_TYPE), *HEADERS], events


def check(service: Service, model: tuple[str, str | None]) -> None:
    """Refuse a model that writes nothing.

    Raises:
        ServeError: not_supported, unknown_model.
    """
    if service.find(*model).spec.generation is None:
        raise ServeError("not_supported")


def _limit(body: Body) -> int | None:
    """Most tokens of the text."""
    if body.parameters.temperature:
        raise invalid("parameters.temperature is 0: the likeliest text is written")
    given = {body.max_tokens, body.parameters.max_tokens} - {None}
    if len(given) > 1:
        raise invalid("max_tokens is given twice")
    return given.pop() if given else None


def _written(model: str, version: str, text: str, called: str) -> bytes:
    """A text or a piece of it."""
    head = {"id": called} if called else {}
    return _encode({**head, "model_name": model, "model_version": version, "text_output": text})
