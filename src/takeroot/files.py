"""Write a file, or a folder of files, whole or not at all."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
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
    with explained(path):
        temporary = path.with_name(f".{path.name}.{token_hex(4)}.tmp")
        temporary.touch(exist_ok=False)
        try:
            yield temporary
            _flush(temporary)
            temporary.replace(path)
        finally:
            with suppress(FileNotFoundError):
                temporary.unlink()


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A hidden folder beside ``path`` that becomes ``path`` when the block ends well.

    Whatever ends the block otherwise, nothing of it is left; missing parents are made.

    Raises:
        DiskFullError: If the disk is full.
        TakerootError: If ``path`` is there already, or its parent may not be written to.
    """
    with explained(path):
        _check_free(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        hidden = Path(tempfile.mkdtemp(prefix=f".{path.name}.partial-", dir=path.parent))
        try:
            hidden.chmod(0o755)  # mkdtemp lets only the owner in
            yield hidden
            for file in hidden.rglob("*"):
                if file.is_file():
                    _flush(file)
            _check_free(path)  # rename would silently replace an empty folder
            hidden.rename(path)
            sync_folder(path.parent)
        finally:
            shutil.rmtree(hidden, ignore_errors=True)


def _check_free(path: Path) -> None:
    """Refuse a path that is taken."""
    if os.path.lexists(path):
        raise TakerootError(f"{path}: is already there; name a new folder or remove it")


@contextmanager
def explained(
    path: Path,
    full: str = "; nothing was left behind",
    failed: type[TakerootError] = TakerootError,
    what: str = "",
) -> Iterator[None]:
    """Turn the operating system's errors into ours.

    Args:
        path: What is written.
        full: What the error for a full disk ends with.
        failed: The error for anything else.
        what: The subject of its sentence, where that is not the path.
    """
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise DiskFullError(f"{path}: no space left on the disk{full}") from error
        if isinstance(error, TakerootError):
            raise
        raise failed(f"{path}: {what}cannot be written: {error.strerror or error}") from error


def write_text(path: Path, text: str) -> None:
    """Write ``text`` as UTF-8, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _flush(path: Path) -> None:
    """Put the file's bytes on the disk, so that a power cut leaves the old file or the new one."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Flush the names in a folder to disk, so that a power cut cannot undo them."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
