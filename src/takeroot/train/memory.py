"""Whether an error means that memory ran out: no two libraries say so in the same way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from takeroot.errors import OutOfMemoryError

SIGNS = ("not enough memory", "can't allocate memory", "out of memory", "bad_alloc")


def ran_out(error: BaseException) -> bool:
    """Whether it does."""
    return isinstance(error, MemoryError) or any(sign in str(error) for sign in SIGNS)


@contextmanager
def explained(remedy: str) -> Iterator[None]:
    """Turn errors that mean memory ran out into ours, which says what to try.

    Raises:
        OutOfMemoryError: If memory runs out.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if ran_out(error) and not isinstance(error, OutOfMemoryError):
            raise OutOfMemoryError(f"out of memory; {remedy}") from error
        raise
