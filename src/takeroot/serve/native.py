"""The native REST API: its addresses and what each answers.

The addresses are a table; each names the scope its token needs, or that it is open, and what is not
in the table does not exist.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec

from takeroot.bundle.spec import Generation
from takeroot.serve.bodies import JSON, Body, read_predict, read_write
from takeroot.serve.caller import Gate
from takeroot.serve.deadline import asked_s, deadline
from takeroot.serve.events import CONTENT_TYPE as EVENTS
from takeroot.serve.events import HEADERS, Events, native_form, written
from takeroot.serve.faults import ServeError
from takeroot.serve.models import ModelInfo
from takeroot.serve.page import page_file
from takeroot.serve.refusal import Headers, body_of, headers_of
from takeroot.serve.request_id import REQUEST_ID
from takeroot.serve.service import Service
from takeroot.serve.settings import Settings
from takeroot.serve.telemetry import CONTENT_TYPE, Telemetry

_SAFE = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        b"connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
    ),
)

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True)
class Host:
    """What an answer is made with."""

    service: Service
    gate: Gate
    settings: Settings
    telemetry: Telemetry


@dataclass(slots=True)
class Request:
    """What a handler is given.

    Args:
        headers: By lower-case name; of a repeated header the last.
        body: As sent.
        values: What stands in the places of the route's path.
    """

    headers: Mapping[bytes, bytes]
    body: bytes
    values: Mapping[str, str]


@dataclass(slots=True)
class Response:
    """What goes back; ``stream`` in the place of ``body`` where it comes in pieces."""

    body: bytes
    content_type: bytes = JSON
    status: int = 200
    headers: Headers | None = None
    stream: Events | None = None

    def own_headers(self, called: str) -> Headers:
        """All its headers but those that depend on the connection.

        Args:
            called: The request's id.
        """
        headers = [(b"x-request-id", called.encode()), *(self.headers or ())]
        if self.content_type:
            headers.append((b"content-type", self.content_type))
        return headers


Handler = Callable[[Host, Request], Awaitable[Response]]


@dataclass(frozen=True)
class Route:
    """An address.

    Args:
        method: Its only method; HEAD is answered where GET is.
        path: With ``{names}`` in the place of parts that vary.
        scope: What a token needs, or None for an open route.
        handler: Answers it.
        summary: For people.
    """

    method: str
    path: str
    scope: str | None
    handler: Handler
    summary: str


async def _predict(host: Host, request: Request) -> Response:
    """Answers for texts."""
    name, version = request.values["model"], request.values.get("version")
    if host.service.writes(name, version):
        return await _write(host, request)
    inputs, top_k = read_predict(_body(host, request))
    limit = deadline(asked_s(request.headers))
    found = await host.service.write(name, inputs, version=version, deadline=limit, top_k=top_k)
    return Response(written(found))


async def _write(host: Host, request: Request) -> Response:
    """Texts that a model writes, whole or in pieces."""
    inputs, options = read_write(_body(host, request))
    asked: dict[str, Any] = {
        "version": request.values.get("version"),
        "deadline": deadline(asked_s(request.headers)),
        "max_new_tokens": options.max_new_tokens,
    }
    name = request.values["model"]
    if not options.stream:
        return Response(written(await host.service.write(name, inputs, **asked)))
    source = host.service.stream(name, inputs, **asked)
    first = await anext(source)  # what goes wrong before it has its own status
    events = Events(first, source, native_form(REQUEST_ID.get()))
    return Response(b"", EVENTS, headers=HEADERS, stream=events)


def _body(host: Host, request: Request) -> Body:
    """The body, and how much of it is read."""
    return Body(request.headers, request.body, host.settings.max_body_bytes)


async def _models(host: Host, request: Request) -> Response:
    """What is served."""
    return Response(_encode({"models": [_about(info) for info in host.service.models()]}))


async def _model(host: Host, request: Request) -> Response:
    """One model."""
    info = host.service.find(request.values["model"], request.values.get("version"))
    return Response(_encode(_about(info)))


def _about(info: ModelInfo) -> dict[str, Any]:
    """A model as clients see it."""
    spec = info.spec
    return {
        "name": info.name,
        "version": info.version,
        "task": spec.task,
        "labels": list(spec.labels),
        "max_tokens": spec.max_tokens,
        "abstains": spec.abstention is not None,
        **({} if spec.generation is None else {"writes": _about_writing(spec.generation)}),
    }


def _about_writing(how: Generation) -> dict[str, Any]:
    """What clients of a model that writes texts may want to know."""
    return {
        "max_new_tokens": how.max_new_tokens,
        "chats": how.frames is not None,
        "system": how.frames is not None and how.frames.system is not None,
    }


async def _live(host: Host, request: Request) -> Response:
    """Whether the process runs."""
    return Response(b'{"status":"live"}')


async def _ready(host: Host, request: Request) -> Response:
    """Whether a text is answered, tried on a worker."""
    if not await host.service.ready():
        raise ServeError("not_ready", retry_after_s=1.0)
    return Response(b'{"status":"ready"}')


async def _metrics(host: Host, request: Request) -> Response:
    """For Prometheus."""
    return Response(host.telemetry.render(host.service), CONTENT_TYPE)


async def _usage(host: Host, request: Request) -> Response:
    """What each token used, by day and model."""
    rows = await asyncio.to_thread(host.gate.usage)
    return Response(_encode({"usage": rows}))


async def _page(host: Host, request: Request) -> Response:
    """A file of the page."""
    found = page_file(request.values.get("file", "index.html"))
    if found is None:
        raise ServeError("unknown_route")
    kind, data = found
    return Response(data, kind, headers=[*_SAFE, (b"cache-control", b"no-cache")])


async def _openapi(host: Host, request: Request) -> Response:
    """This table, for machines."""
    from takeroot.serve.openapi import document

    return Response(_encode(document(ROUTES)))


async def _docs(host: Host, request: Request) -> Response:
    """This table, for people."""
    from takeroot.serve.openapi import page

    return Response(page(ROUTES), b"text/html; charset=utf-8", headers=[*_SAFE])


ROUTES = (
    Route("POST", "/v1/models/{model}/predict", "predict", _predict, "Answers for texts"),
    Route(
        "POST",
        "/v1/models/{model}/versions/{version}/predict",
        "predict",
        _predict,
        "Answers of one version",
    ),
    Route("GET", "/v1/models", "predict", _models, "The models served"),
    Route("GET", "/v1/models/{model}", "predict", _model, "One model, its newest version"),
    Route("GET", "/v1/models/{model}/versions/{version}", "predict", _model, "One version"),
    Route("GET", "/v1/usage", "admin", _usage, "Requests, texts, tokens and time by token and day"),
    Route("GET", "/metrics", "metrics", _metrics, "Metrics for Prometheus"),
    Route("GET", "/healthz", None, _live, "Whether the process runs"),
    Route("GET", "/readyz", None, _ready, "Whether texts are answered"),
    Route("GET", "/", None, _page, "The page"),
    Route("GET", "/page/{file}", None, _page, "A file of the page"),
    Route("GET", "/docs", None, _docs, "This list"),
    Route("GET", "/openapi.json", None, _openapi, "This list, as OpenAPI"),
)


@lru_cache(maxsize=1000)
def find(method: str, path: str) -> tuple[Route, Mapping[str, str]]:
    """The route at an address, and what the address names.

    Raises:
        ServeError: unknown_route, method_not_allowed.
    """
    method = "GET" if method == "HEAD" else method
    methods = []
    for route in ROUTES:
        values = _match(route.path, path)
        if values is not None and route.method == method:
            return route, values
        if values is not None:
            methods.append(route.method)
    if methods:
        raise ServeError("method_not_allowed", known=methods)
    raise ServeError("unknown_route")


def refusal(error: ServeError, called: str) -> Response:
    """An error's body: from the catalogue, and nothing else."""
    return Response(body_of(error, called), status=error.fault.http, headers=headers_of(error))


def _match(pattern: str, path: str) -> dict[str, str] | None:
    """What stands in the places of a pattern, or None if the path is another."""
    wanted, given = pattern.split("/"), path.split("/")
    if len(wanted) != len(given):
        return None
    values = {}
    for want, have in zip(wanted, given, strict=True):
        if want.startswith("{"):
            values[want[1:-1]] = have
        elif want != have:
            return None
    return values if all(values.values()) else None
