"""The V2 protocol over REST: everything under /v2.

One table holds every route, with the scope it needs; what is not in it does not exist. Errors are
``{"error": message}`` with the statuses Triton gives. Calls that would let a client reach into the
server's memory, files or settings are known, and answered with 501.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from takeroot.serve.faults import ServeError
from takeroot.serve.service import Service
from takeroot.serve.v2 import rest_calls
from takeroot.serve.v2.rest_calls import Ask, Response


@dataclass(frozen=True)
class Route:
    """An address and what is there.

    Args:
        path: With {model} and {version} for one part of a path each.
        methods: The HTTP methods it answers.
        scope: What a token must allow; ``none`` for a route open to all.
        answer: Gives the response.
    """

    path: str
    methods: tuple[str, ...]
    scope: str
    answer: Callable[[Ask], Awaitable[Response]]


async def respond(
    service: Service, method: str, path: str, headers: Mapping[bytes, bytes], body: bytes
) -> Response:
    """Status, headers (but not the body's length) and body of the answer to a request under /v2.

    Whether the caller may use the route is decided before, by ``scope_of``.

    Args:
        service: Answers it.
        method: In capitals.
        path: Without query.
        headers: By lower-case name.
        body: As it came, perhaps compressed.

    Raises:
        ServeError: If it is refused; ``refusal`` makes a response of it.
    """
    found = _find(path)
    if found is None:
        raise ServeError("unknown_route")
    route, names = found
    if method not in route.methods:
        raise ServeError("method_not_allowed", known=list(route.methods))
    return await route.answer(Ask(service, names, headers, body))


def scope_of(method: str, path: str) -> str | None:
    """What a token must allow for a request; ``none`` if nothing, None if there is no such route.

    A path has the same scope for every method, also for those that ``respond`` refuses.
    """
    del method
    found = _find(path)
    return None if found is None else found[0].scope


_GET, _POST, _BOTH = ("GET",), ("POST",), ("GET", "POST")
_ONE = "/v2/models/{model}"
_VERSION = "/v2/models/{model}/versions/{version}"
_NAMED = "/v2/repository/{repository}"  # this server has one repository, without a name

ROUTES: tuple[Route, ...] = (
    Route(f"{_ONE}/infer", _POST, "predict", rest_calls.answers),
    Route(f"{_VERSION}/infer", _POST, "predict", rest_calls.answers),
    Route("/v2/health/live", _GET, "none", rest_calls.live),
    Route("/v2/health/ready", _GET, "none", rest_calls.ready),
    Route("/v2", _GET, "predict", rest_calls.server),
    Route("/v2/models/stats", _GET, "predict", rest_calls.statistics),
    Route(_ONE, _GET, "predict", rest_calls.metadata),
    Route(_VERSION, _GET, "predict", rest_calls.metadata),
    Route(f"{_ONE}/ready", _GET, "predict", rest_calls.model_ready),
    Route(f"{_VERSION}/ready", _GET, "predict", rest_calls.model_ready),
    Route(f"{_ONE}/config", _GET, "predict", rest_calls.config),
    Route(f"{_VERSION}/config", _GET, "predict", rest_calls.config),
    Route(f"{_ONE}/stats", _GET, "predict", rest_calls.statistics),
    Route(f"{_VERSION}/stats", _GET, "predict", rest_calls.statistics),
    Route(f"{_ONE}/generate", _POST, "predict", rest_calls.generate),
    Route(f"{_VERSION}/generate", _POST, "predict", rest_calls.generate),
    Route(f"{_ONE}/generate_stream", _POST, "predict", rest_calls.generate_stream),
    Route(f"{_VERSION}/generate_stream", _POST, "predict", rest_calls.generate_stream),
    Route("/v2/repository/index", _POST, "models", rest_calls.index),
    Route("/v2/repository/models/{model}/load", _POST, "models", rest_calls.load),
    Route("/v2/repository/models/{model}/unload", _POST, "models", rest_calls.unload),
    Route(f"{_NAMED}/index", _POST, "models", rest_calls.unsupported),
    Route(f"{_NAMED}/models/{{model}}/load", _POST, "models", rest_calls.unsupported),
    Route(f"{_NAMED}/models/{{model}}/unload", _POST, "models", rest_calls.unsupported),
    Route("/v2/trace/setting", _BOTH, "models", rest_calls.unsupported),
    Route(f"{_ONE}/trace/setting", _BOTH, "models", rest_calls.unsupported),
    Route("/v2/logging", _BOTH, "models", rest_calls.unsupported),
    *(
        Route(f"/v2/{kind}sharedmemory{region}/{verb}", methods, "models", rest_calls.unsupported)
        for kind in ("system", "cuda")
        for region in ("", "/region/{region}")
        for verb, methods in (("status", _GET), ("register", _POST), ("unregister", _POST))
    ),
)

_PATTERNS = [
    (re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", route.path)), route) for route in ROUTES
]


@lru_cache(maxsize=256)
def _find(path: str) -> tuple[Route, Mapping[str, str]] | None:
    """The route at an address, and what the address names."""
    for pattern, route in _PATTERNS:
        match = pattern.fullmatch(path)
        if match is not None:
            return route, match.groupdict()
    return None
