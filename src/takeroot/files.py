"""Write a file whole or not at all."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex

from takeroot.errors import DiskFullError, TakerootError

FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary file beside ``path`` that takes its place when the block ends well.

    Whatever ends the block otherwise, the temporary file is removed and ``path`` is as it was.

    Raises:
        DiskFullError: If the disk is full.
        TakerootError: If the folder is missing or may not be written to.
    """
    temporary: Path | None = None
    try:
        sibling = path.with_name(f".{path.name}.{token_hex(4)}.tmp")
        sibling.touch(exist_ok=False)
        temporary = sibling
        yield temporary
        _flush(temporary)
        temporary.replace(path)
    except OSError as error:
        if error.errno in FULL:
            raise DiskFullError(
                f"{path}: no space left on the disk; nothing was written"
            ) from error
        if isinstance(error, TakerootError):
            raise
        raise TakerootError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        if temporary is not None:
            with suppress(FileNotFoundError):
                temporary.unlink()


def write_text(path: Path, text: str) -> None:
    """Write ``text`` as UTF-8, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _flush(path: Path) -> None:
    """Put the file's bytes on the disk, so that a power cut leaves the old file or the new one."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
