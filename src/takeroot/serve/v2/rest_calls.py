"""What each REST route answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from takeroot.serve.deadline import asked_s, deadline
from takeroot.serve.events import Events
from takeroot.serve.faults import ServeError
from takeroot.serve.packing import packer, unpack
from takeroot.serve.refusal import Headers, headers_of
from takeroot.serve.service import Service
from takeroot.serve.v2 import describe, rest_body
from takeroot.serve.v2 import generate as written
from takeroot.serve.v2.infer import infer

Response = tuple[int, Headers, bytes | Events]

_JSON = (b"content-type", b"application/json")
_BINARY = (b"content-type", b"application/octet-stream")
_READABLE = ("application/json", "application/octet-stream")

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Ask:
    """A request to a route.

    Args:
        service: Answers it.
        names: Parts of the path: ``model``, ``version``.
        headers: By lower-case name.
        body: As it came.
    """

    service: Service
    names: Mapping[str, str]
    headers: Mapping[bytes, bytes]
    body: bytes

    @property
    def model(self) -> tuple[str, str | None]:
        """Name and version in the path."""
        return self.names["model"], self.names.get("version")

    def plain(self) -> bytes:
        """The body, unpacked.

        Raises:
            ServeError: If it is of a kind that is not read, damaged or too large.
        """
        kind = self.headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        if kind and kind.decode("latin-1") not in _READABLE:
            raise ServeError("unsupported_media_type", known=list(_READABLE))
        encoding = self.headers.get(b"content-encoding", b"")
        return unpack(self.body, encoding, self.service.settings.max_body_bytes)


def refusal(error: ServeError) -> tuple[int, Headers, bytes]:
    """An error as the protocol writes it."""
    return error.fault.http, [_JSON, *headers_of(error)], _encode({"error": error.message})


async def live(ask: Ask) -> Response:
    """Whether the process runs."""
    return _yes_or_no(ask.service.live())


async def ready(ask: Ask) -> Response:
    """Whether every model answers."""
    return _yes_or_no(await ask.service.ready())


async def server(ask: Ask) -> Response:
    """The server's metadata."""
    del ask
    return _json(describe.server())


async def metadata(ask: Ask) -> Response:
    """A model's metadata."""
    return _json(describe.metadata(ask.service, *ask.model))


async def model_ready(ask: Ask) -> Response:
    """Whether a model answers."""
    return _yes_or_no(describe.ready(ask.service, *ask.model))


async def config(ask: Ask) -> Response:
    """A model's configuration."""
    return _json(describe.config(ask.service, *ask.model))


async def statistics(ask: Ask) -> Response:
    """What one model or all have done."""
    names = ask.names
    return _json(describe.statistics(ask.service, names.get("model"), names.get("version")))


async def answers(ask: Ask) -> Response:
    """Answers to texts."""
    call = rest_body.read(ask.names, ask.headers, ask.plain(), ask.service.settings)
    answered = await infer(ask.service, call.request)
    body, json_length = rest_body.write(answered, call)
    headers = [_JSON if json_length is None else _BINARY]
    if json_length is not None:
        headers.append((rest_body.JSON_LENGTH, b"%d" % json_length))
    pack = packer(ask.headers.get(b"accept-encoding", b""), len(body))
    if pack is not None:
        headers.append((b"content-encoding", pack[0].encode()))
        headers.append((b"vary", b"accept-encoding"))
        body = pack[1](body)
    return 200, headers, body


async def generate(ask: Ask) -> Response:
    """The text a model writes for a prompt."""
    body, how = _prompt(ask)
    return 200, [_JSON], await written.whole(ask.service, ask.model, body, **how)


async def generate_stream(ask: Ask) -> Response:
    """The same in pieces."""
    body, how = _prompt(ask)
    headers, events = await written.pieces(ask.service, ask.model, body, **how)
    return 200, headers, events


def _prompt(ask: Ask) -> tuple[written.Body, dict[str, float | None]]:
    """The prompt, and when its text must be there."""
    written.check(ask.service, ask.model)
    body = rest_body.decoded(written.decoder, ask.plain(), ask.service.settings.max_json_depth)
    return body, {"deadline": deadline(asked_s(ask.headers))}


async def index(ask: Ask) -> Response:
    """What the repository holds."""
    request = _control(ask)
    return _json(describe.index(ask.service, only_ready=request.ready))


async def load(ask: Ask) -> Response:
    """Serve a model; a configuration or files of the client's are not taken."""
    if _control(ask).parameters:
        raise ServeError("not_supported")
    await ask.service.load(ask.names["model"])
    return 200, [_JSON], b""


async def unload(ask: Ask) -> Response:
    """Stop serving a model."""
    _control(ask)
    await ask.service.unload(ask.names["model"])
    return 200, [_JSON], b""


async def unsupported(ask: Ask) -> Response:
    """A call of the protocol that this server does not offer."""
    del ask
    raise ServeError("not_supported")


class _Control(msgspec.Struct):
    """The body of a repository call."""

    ready: bool = False
    parameters: dict[str, Any] = {}


_control_decoder = msgspec.json.Decoder(_Control)


def _control(ask: Ask) -> _Control:
    """The body of a repository call, which may be empty."""
    data = ask.plain()
    if not data.strip():
        return _Control()
    found: _Control = rest_body.decoded(_control_decoder, data, ask.service.settings.max_json_depth)
    return found


def _yes_or_no(answer: bool) -> Response:
    """200 or 400, as the protocol's probes have it."""
    return (200 if answer else 400), [_JSON], b""


def _json(value: Any) -> Response:
    """A value as the whole body."""
    return 200, [_JSON], _encode(value)
