"""What a request is called in its answer, the log and the records."""

from __future__ import annotations

import re
import secrets
from contextvars import ContextVar

# Of the request that is answered: set by whoever admitted it, in its own task.
REQUEST_ID: ContextVar[str] = ContextVar("REQUEST_ID", default="")
_ALLOWED = re.compile(r"[A-Za-z0-9._-]{1,64}")


def accepted_id(given: str) -> str:
    """The caller's own id where it can be taken over, otherwise a random one."""
    return given if _ALLOWED.fullmatch(given) else secrets.token_hex(8)
