"""When an answer must be there, by what a request says of its own time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from takeroot.serve.faults import ServeError

HEADER = b"x-request-timeout-ms"
LONGEST_MS = 3_600_000


def asked_s(headers: Mapping[bytes, bytes]) -> float | None:
    """The time a REST request gives itself, in seconds; None where it says nothing.

    Raises:
        ServeError: invalid_request, if the header X-Request-Timeout-Ms is no number of
            milliseconds up to an hour.
    """
    given = headers.get(HEADER)
    if given is None:
        return None
    if not given.isdigit() or len(given) > 9 or not 0 < int(given) <= LONGEST_MS:
        reason = f"X-Request-Timeout-Ms: whole milliseconds, 1 to {LONGEST_MS}"
        raise ServeError("invalid_request", reason=reason)
    return int(given) / 1000


def deadline(*times_s: float | None) -> float | None:
    """When the shortest of some times from now is over, on the loop's clock; None for none."""
    given = [each for each in times_s if each is not None]
    return asyncio.get_running_loop().time() + min(given) if given else None
