"""Whether an error means that memory ran out: no two libraries say so in the same way."""

from __future__ import annotations

SIGNS = ("not enough memory", "can't allocate memory", "out of memory", "bad_alloc")


def ran_out(error: BaseException) -> bool:
    """Whether it does."""
    return isinstance(error, MemoryError) or any(sign in str(error) for sign in SIGNS)
