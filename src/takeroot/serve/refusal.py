"""The headers and the body of an HTTP answer that refuses a request."""

from __future__ import annotations

from http import HTTPStatus

import msgspec

from takeroot.serve.faults import ServeError

Headers = list[tuple[bytes, bytes]]


def body_of(error: ServeError, called: str) -> bytes:
    """What the native API says of an error: what the catalogue does, and the request's id."""
    body = {"code": error.code, "message": error.message, "request_id": called}
    return msgspec.json.encode({"error": body})


def headers_of(error: ServeError) -> Headers:
    """What tells a client how to ask better: when, with what token, or with which method."""
    headers: Headers = []
    if error.retry_after is not None:
        headers.append((b"retry-after", error.retry_after.encode()))
    if error.fault.http == HTTPStatus.UNAUTHORIZED:
        headers.append((b"www-authenticate", b"Bearer"))
    if error.fault.http == HTTPStatus.METHOD_NOT_ALLOWED:
        headers.append((b"allow", ", ".join(error.known).encode()))
    return headers
