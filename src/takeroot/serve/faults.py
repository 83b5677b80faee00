"""Everything a request can be refused with: one fixed catalogue for REST and gRPC.

A body never says more than the catalogue does: no path, class name, traceback, secret or text.
Natively it is ``{"error": {"code", "message", "request_id"}}``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """One kind of refusal.

    Args:
        http: HTTP status.
        grpc: Name of the ``grpc.StatusCode``.
        message: What the client reads.
        more: Added to the message where all its fields are given; ``{limit}`` is a number,
            ``{known}`` names the client may see, ``{reason}`` a sentence written in our code that
            names the request's fields and never quotes what the client sent.
    """

    http: int
    grpc: str
    message: str
    more: str = ""


FAULTS: dict[str, Fault] = {
    "invalid_request": Fault(400, "INVALID_ARGUMENT", "the request is not valid", ": {reason}"),
    "too_many_inputs": Fault(
        400, "INVALID_ARGUMENT", "too many inputs in one request", "; at most {limit}"
    ),
    "text_too_long": Fault(
        400, "INVALID_ARGUMENT", "a text is too long", "; at most {limit} characters"
    ),
    "prompt_too_long": Fault(
        400,
        "INVALID_ARGUMENT",
        "a prompt has more tokens than the model reads",
        "; at most {limit}",
    ),
    "too_many_new_tokens": Fault(
        400,
        "INVALID_ARGUMENT",
        "more tokens are asked for than may be written",
        "; at most {limit}",
    ),
    "json_too_deep": Fault(
        400, "INVALID_ARGUMENT", "the JSON is nested too deeply", "; at most {limit} levels"
    ),
    "unauthenticated": Fault(
        401, "UNAUTHENTICATED", "a valid token is needed: Authorization: Bearer TOKEN"
    ),
    "forbidden": Fault(
        403, "PERMISSION_DENIED", "the token does not allow this", "; it needs the scope {scope}"
    ),
    "foreign_origin": Fault(
        403, "PERMISSION_DENIED", "a page of another origin may not call this server"
    ),
    "unknown_route": Fault(404, "UNIMPLEMENTED", "there is nothing at this address"),
    "unknown_model": Fault(
        404, "NOT_FOUND", "there is no such model or version", "; there are: {known}"
    ),
    "method_not_allowed": Fault(
        405, "UNIMPLEMENTED", "this method is not allowed here", "; allowed: {known}"
    ),
    "body_too_large": Fault(
        413, "INVALID_ARGUMENT", "the body is too large", "; at most {limit} bytes, unpacked"
    ),
    "unsupported_media_type": Fault(
        415, "INVALID_ARGUMENT", "this content type or encoding is not read", "; allowed: {known}"
    ),
    "unknown_host": Fault(
        421, "INVALID_ARGUMENT", "this server does not go by the host name of the request"
    ),
    "headers_too_large": Fault(
        431, "RESOURCE_EXHAUSTED", "the headers are too large", "; at most {limit} bytes"
    ),
    "rate_limited": Fault(
        429,
        "RESOURCE_EXHAUSTED",
        "the token's requests come too fast",
        "; at most {limit} a second",
    ),
    "quota_exhausted": Fault(
        429,
        "RESOURCE_EXHAUSTED",
        "the token's quota of texts for today (UTC) does not cover this request",
        "; it is {limit}",
    ),
    "overloaded": Fault(429, "RESOURCE_EXHAUSTED", "the server has all the work it can hold"),
    "internal": Fault(500, "INTERNAL", "the server failed; the request id finds the cause"),
    "not_supported": Fault(501, "UNIMPLEMENTED", "this server does not offer this call"),
    "not_ready": Fault(503, "UNAVAILABLE", "the server is not ready"),
    "interrupted": Fault(
        503, "UNAVAILABLE", "the worker ended while it wrote this text; ask for it again"
    ),
    "masking_failed": Fault(
        503, "UNAVAILABLE", "personal data could not be masked, so the text was not used"
    ),
    "deadline_exceeded": Fault(
        504, "DEADLINE_EXCEEDED", "the time the request allowed ran out before it was computed"
    ),
}


class ServeError(Exception):
    """A request that is refused.

    Args:
        code: Key of ``FAULTS``.
        retry_after_s: Seconds after which the same request may be accepted; None if never known.
        fields: Values of the fault's ``more``; a list of names is joined by commas.
    """

    def __init__(self, code: str, *, retry_after_s: float | None = None, **fields: object) -> None:
        self.code = code
        self.fault = FAULTS[code]
        self.message = _filled(self.fault, fields)
        self.retry_after_s = retry_after_s
        known = fields.get("known")
        self.known = tuple(map(str, known)) if isinstance(known, list | tuple) else ()
        super().__init__(self.message)

    @property
    def retry_after(self) -> str | None:
        """The header Retry-After: whole seconds, never too few of them; None for no header."""
        if self.retry_after_s is None:
            return None
        return str(max(1, math.ceil(self.retry_after_s)))


def _filled(fault: Fault, fields: dict[str, object]) -> str:
    """The fault's message, with ``more`` where its fields are there."""
    named = {
        name: ", ".join(map(str, value)) if isinstance(value, list | tuple) else value
        for name, value in fields.items()
    }
    try:
        return fault.message + fault.more.format_map(named)
    except KeyError:
        return fault.message
