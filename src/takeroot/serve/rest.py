"""REST: a plain ASGI application, a thin translator from HTTP to the service.

Routes are a table; each names the scope its token needs, or that it is open, and what is not in the
table does not exist. The order of every request: host, route, token, size, content type, schema,
and only then the service.
"""

from __future__ import annotations

import asyncio
import logging
import math
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import msgspec

from takeroot.serve import v2
from takeroot.serve.caller import Gate
from takeroot.serve.failure import place
from takeroot.serve.faults import ServeError
from takeroot.serve.packing import unpack
from takeroot.serve.page import page_file
from takeroot.serve.service import CALLER, ModelInfo, Service
from takeroot.serve.settings import Settings
from takeroot.serve.telemetry import CONTENT_TYPE, Telemetry

JSON = b"application/json"
LONGEST_TIMEOUT_MS = 3_600_000
REMEMBERED = 1000  # paths whose route is known
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_SAFE = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        b"connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
    ),
)

log = logging.getLogger(__name__)
_encode = msgspec.json.Encoder().encode

Headers = list[tuple[bytes, bytes]]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


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


_decode_predict = msgspec.json.Decoder(PredictRequest).decode


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
    values: dict[str, str]


@dataclass(slots=True)
class Response:
    """What goes back."""

    body: bytes
    content_type: bytes = JSON
    status: int = 200
    headers: Headers | None = None


Handler = Callable[["App", Request], Awaitable[Response]]


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


class App:
    """The ASGI application.

    Args:
        service: Answers.
        gate: Admits.
        settings: Limits.
        telemetry: Counts.
    """

    def __init__(
        self, service: Service, gate: Gate, settings: Settings, telemetry: Telemetry
    ) -> None:
        self.service, self.gate, self.settings = service, gate, settings
        self.telemetry = telemetry
        self._routes: dict[tuple[str, str], tuple[Route, dict[str, str]]] = {}
        names = settings.hosts or (LOOPBACK_NAMES if settings.loopback else ("*",))
        self._hosts = None if "*" in names else {*names, settings.host}

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request."""
        headers = dict(scope["headers"])
        given = headers.get(b"x-request-id", b"")
        request_id = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8).encode()
        try:
            response = await self._respond(scope["method"], scope["path"], headers, receive)
            outcome = "ok" if response.status < HTTPStatus.BAD_REQUEST else "refused"
        except asyncio.CancelledError:  # the client has left: there is nobody to answer
            self.telemetry.requested("rest", "cancelled").inc()
            return
        except ServeError as error:
            response, outcome = _refusal(error, request_id), error.code
        except Exception as error:  # a fault of ours: where it was is logged, nothing is told
            log.error("request %s failed: %s", request_id.decode(), place(error))
            response, outcome = _refusal(ServeError("internal"), request_id), "internal"
        self.telemetry.requested("rest", outcome).inc()
        if self.settings.log_requests:
            log.info(
                "request",
                extra={
                    "request_id": request_id.decode(),
                    "method": scope["method"],
                    "path": scope["path"],
                    "status": response.status,
                },
            )
        await self._send(send, response, request_id, headers, head=scope["method"] == "HEAD")

    async def _respond(
        self, method: str, path: str, headers: Mapping[bytes, bytes], receive: Receive
    ) -> Response:
        """Everything between the request's head and the response's."""
        self._check_host(headers)
        self._check_origin(method, headers)
        if method == "OPTIONS" and self._origin(headers):
            return Response(b"", status=204, headers=_preflight())
        authorization = headers.get(b"authorization")
        token = None if authorization is None else authorization.decode("latin-1")
        if path.startswith("/v2"):
            needed = v2.scope_of(method, path)
            if needed is None:
                raise ServeError("unknown_route")
            if needed != "none":
                CALLER.set(self.gate.admit(token, needed))
            body = await self._body(headers, receive)
            status, own, data = await v2.respond(self.service, method, path, headers, body)
            return Response(data, status=status, headers=own, content_type=b"")
        route, values = self._route(method, path)
        if route.scope is not None:
            CALLER.set(self.gate.admit(token, route.scope))
        body = await self._body(headers, receive) if method == "POST" else b""
        return await route.handler(self, Request(headers, body, values))

    def deadline(self, headers: Mapping[bytes, bytes]) -> float | None:
        """When the request's own time limit ends, on the loop's clock.

        Raises:
            ServeError: invalid_request, if the header is no number of milliseconds.
        """
        given = headers.get(b"x-request-timeout-ms")
        if given is None:
            return None
        if not given.isdigit() or len(given) > 9 or not 0 < int(given) <= LONGEST_TIMEOUT_MS:
            raise ServeError(
                "invalid_request",
                reason=f"X-Request-Timeout-Ms: whole milliseconds, 1 to {LONGEST_TIMEOUT_MS}",
            )
        return asyncio.get_running_loop().time() + int(given) / 1000

    def _check_host(self, headers: Mapping[bytes, bytes]) -> None:
        """Refuse a name this server does not go by: a page may have bent its own to our address."""
        if self._hosts is None:
            return
        name = headers.get(b"host", b"").decode("latin-1")
        if re.sub(r":\d+$", "", name) not in self._hosts:
            raise ServeError("unknown_host")

    def _check_origin(self, method: str, headers: Mapping[bytes, bytes]) -> None:
        """Refuse what a page of another origin makes a browser send."""
        origin = headers.get(b"origin")
        if origin is None or method in ("GET", "HEAD", "OPTIONS") or self._origin(headers):
            return
        if origin.partition(b"://")[2] != headers.get(b"host"):
            raise ServeError("foreign_origin")

    def _route(self, method: str, path: str) -> tuple[Route, dict[str, str]]:
        """The route of a path.

        Raises:
            ServeError: unknown_route, method_not_allowed.
        """
        method = "GET" if method == "HEAD" else method
        known = self._routes.get((method, path))
        if known is not None:
            return known
        methods = []
        for route in ROUTES:
            values = _match(route.path, path)
            if values is None:
                continue
            if route.method == method:
                if len(self._routes) < REMEMBERED:
                    self._routes[method, path] = route, values
                return route, values
            methods.append(route.method)
        if methods:
            raise ServeError("method_not_allowed", known=methods)
        raise ServeError("unknown_route")

    async def _body(self, headers: Mapping[bytes, bytes], receive: Receive) -> bytes:
        """The whole body.

        Raises:
            ServeError: body_too_large, before more than that was read.
        """
        limit = self.settings.max_body_bytes
        announced = headers.get(b"content-length", b"0")
        if not announced.isdigit() or int(announced[:12]) > limit:
            raise ServeError("body_too_large", limit=limit)
        message = await receive()
        body: bytes = message.get("body", b"")
        while message.get("more_body"):
            message = await receive()
            if message["type"] == "http.disconnect":
                raise asyncio.CancelledError
            body += message.get("body", b"")
            if len(body) > limit:
                raise ServeError("body_too_large", limit=limit)
        return body

    def _origin(self, headers: Mapping[bytes, bytes]) -> bytes | None:
        """The page's origin, if it may call."""
        origin = headers.get(b"origin")
        return origin if origin and origin.decode("latin-1") in self.settings.origins else None

    async def _send(
        self,
        send: Send,
        response: Response,
        request_id: bytes,
        asked: Mapping[bytes, bytes],
        *,
        head: bool,
    ) -> None:
        """Send head and body."""
        headers: Headers = [
            (b"content-length", str(len(response.body)).encode()),
            (b"x-request-id", request_id),
            *(response.headers or ()),
        ]
        if response.content_type:
            headers.append((b"content-type", response.content_type))
        origin = self._origin(asked)
        if origin:
            headers += [(b"access-control-allow-origin", origin), (b"vary", b"origin")]
        if self.service.draining:
            headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if head else response.body})


async def _predict(app: App, request: Request) -> Response:
    """Answers for texts."""
    inputs, options = _read(app, request)
    deadline = app.deadline(request.headers)
    name, version = request.values["model"], request.values.get("version")
    top_k = options.top_k if options.probabilities else 0
    found = await app.service.write(name, inputs, version=version, deadline=deadline, top_k=top_k)
    head = b'{"model":"%b","version":"%b","predictions":[' % (
        found.model.encode(),
        found.version.encode(),
    )
    return Response(b"".join((head, b",".join(found.json), b"]}")))


def _read(app: App, request: Request) -> tuple[list[str | tuple[str, str]], Options]:
    """The texts and options of a predict request.

    Raises:
        ServeError: unsupported_media_type, body_too_large, invalid_request.
    """
    kind = request.headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    if kind != JSON:
        raise ServeError("unsupported_media_type", known="application/json")
    encoding = request.headers.get(b"content-encoding", b"")
    body = unpack(request.body, encoding, app.settings.max_body_bytes)
    try:
        found = _decode_predict(body)
    except msgspec.ValidationError as error:  # names a field and a type, never a value
        raise ServeError("invalid_request", reason=str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ServeError("invalid_request", reason="the body is not JSON in UTF-8") from None
    if found.options.top_k is not None and found.options.top_k < 1:
        raise ServeError("invalid_request", reason="options.top_k is 1 or more")
    return found.inputs, found.options


async def _models(app: App, request: Request) -> Response:
    """What is served."""
    return Response(_encode({"models": [_about(info) for info in app.service.models()]}))


async def _model(app: App, request: Request) -> Response:
    """One model."""
    info = app.service.find(request.values["model"], request.values.get("version"))
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
    }


async def _live(app: App, request: Request) -> Response:
    """Whether the process runs."""
    return Response(b'{"status":"live"}')


async def _ready(app: App, request: Request) -> Response:
    """Whether a text is answered, tried on a worker."""
    if not await app.service.ready():
        raise ServeError("not_ready", retry_after_s=1.0)
    return Response(b'{"status":"ready"}')


async def _metrics(app: App, request: Request) -> Response:
    """For Prometheus."""
    return Response(app.telemetry.render(app.service), CONTENT_TYPE)


async def _usage(app: App, request: Request) -> Response:
    """What each token used, by day and model."""
    rows = await asyncio.to_thread(app.gate.usage)
    return Response(_encode({"usage": rows}))


async def _page(app: App, request: Request) -> Response:
    """A file of the page."""
    found = page_file(request.values.get("file", "index.html"))
    if found is None:
        raise ServeError("unknown_route")
    kind, data = found
    return Response(data, kind, headers=[*_SAFE, (b"cache-control", b"no-cache")])


async def _openapi(app: App, request: Request) -> Response:
    """This table, for machines."""
    from takeroot.serve.openapi import document

    return Response(_encode(document(ROUTES)))


async def _docs(app: App, request: Request) -> Response:
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


def _refusal(error: ServeError, request_id: bytes) -> Response:
    """An error's body: from the catalogue, and nothing else."""
    body = {"code": error.code, "message": error.message, "request_id": request_id.decode()}
    headers: Headers = []
    if error.retry_after_s is not None:
        headers.append((b"retry-after", str(max(1, math.ceil(error.retry_after_s))).encode()))
    if error.fault.http == HTTPStatus.UNAUTHORIZED:
        headers.append((b"www-authenticate", b"Bearer"))
    return Response(_encode({"error": body}), status=error.fault.http, headers=headers)


def _preflight() -> Headers:
    """What a page of an allowed origin may send."""
    return [
        (b"access-control-allow-methods", b"GET, POST"),
        (b"access-control-allow-headers", b"authorization, content-type, x-request-timeout-ms"),
        (b"access-control-max-age", b"600"),
    ]
