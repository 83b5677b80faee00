"""Write a bundle so that it is there whole or not at all.

Files go to a hidden folder beside the target; each is flushed to disk, the manifest comes last,
the result is opened and verified as any reader would, and one rename makes it appear. Whatever
goes wrong before leaves nothing behind; a process killed outright leaves a hidden folder without a
manifest, which nobody can take for a bundle.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from takeroot.bundle.manifest import (
    MANIFEST,
    MANIFEST_FORMAT,
    SPEC,
    FileEntry,
    Manifest,
    canonical,
    check_path,
    model_sha256,
    render_manifest,
    size_cap,
)
from takeroot.bundle.open import open_bundle
from takeroot.bundle.spec import Spec
from takeroot.errors import BundleError, DiskFullError
from takeroot.files import FULL, sync_folder

_PIECE = 4 << 20


class BundleWriter:
    """Writes one bundle; use it in a ``with`` statement. The bundle appears when that ends well.

    Args:
        out: The bundle's folder; it must not exist.
        created: Time of writing, as ISO 8601; it is noted in the manifest only.

    Raises:
        BundleError: On entering, if ``out`` exists or its parent cannot be written; on leaving, if
            what was written is not a bundle.
        DiskFullError: If no space is left, wherever it is noticed.
    """

    def __init__(self, out: Path, *, created: str) -> None:
        self._out = Path(out)
        self._created = created
        self._folder = self._out  # until entered
        self._files: dict[str, FileEntry] = {}
        self._spec: Spec | None = None
        self._parents: list[Path] = []

    def __enter__(self) -> Self:
        if os.path.lexists(self._out):
            raise BundleError(f"{self._out}: exists already; name a new folder or remove it")
        with _explained(self._out):
            self._parents = _make_parents(self._out.parent)
            name = f".{self._out.name}.partial-"
            self._folder = Path(tempfile.mkdtemp(prefix=name, dir=self._out.parent))
            self._folder.chmod(0o755)  # mkdtemp lets only the owner in
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                with _explained(self._out):
                    self._finish()
                return
        finally:
            self._clean()
        if isinstance(error, OSError) and error.errno in FULL:
            raise _disk_full(self._out) from error

    def write_spec(self, spec: Spec) -> None:
        """Write bundle.json."""
        self._spec = spec
        self.write_bytes(SPEC, canonical(spec.model_dump(mode="json")))

    def write_json(self, name: str, value: Any) -> None:
        """Write ``value`` as JSON; NaN and infinity are refused, as JSON has none."""
        if name == SPEC:
            self._spec = Spec.model_validate(value)
        self.write_bytes(name, canonical(value))

    def write_bytes(self, name: str, data: bytes) -> None:
        """Write a file."""
        with self._new(name) as file:
            file.write(data)
        self._note(name, len(data), hashlib.sha256(data).hexdigest())

    def copy_file(self, name: str, source: Path) -> None:
        """Copy the file ``source`` into the bundle as ``name``."""
        hasher, size = hashlib.sha256(), 0
        with source.open("rb") as original, self._new(name) as file:
            while piece := original.read(_PIECE):
                file.write(piece)
                hasher.update(piece)
                size += len(piece)
        self._note(name, size, hasher.hexdigest())

    @contextmanager
    def _new(self, name: str) -> Iterator[IO[bytes]]:
        """A new file, flushed to disk when done."""
        check_path(name)
        path = self._folder / name
        with _explained(self._out):
            path.parent.mkdir(exist_ok=True)
            try:
                with path.open("xb") as file:
                    yield file
                    file.flush()
                    os.fsync(file.fileno())
            except FileExistsError as error:
                raise BundleError(f"{self._out}: {name} was written already") from error

    def _note(self, name: str, size: int, sha256: str) -> None:
        """Remember a written file for the manifest."""
        if size > size_cap(name):
            raise BundleError(f"{name}: {size} bytes, at most {size_cap(name)} are allowed")
        self._files[name] = FileEntry(path=name, size=size, sha256=sha256)

    def _finish(self) -> None:
        """Write the manifest, verify, and let the bundle appear."""
        if self._spec is None:
            raise BundleError(f"{self._out}: {SPEC} was not written")
        files = [self._files[name] for name in sorted(self._files)]
        manifest = Manifest(
            format=MANIFEST_FORMAT,
            name=self._spec.name,
            created=self._created,
            takeroot=_own_version(),
            model_sha256=model_sha256(self._spec, files),
            files=files,
        )
        with (self._folder / MANIFEST).open("xb") as file:
            file.write(render_manifest(manifest))
            file.flush()
            os.fsync(file.fileno())
        for folder in (*(path for path in self._folder.iterdir() if path.is_dir()), self._folder):
            sync_folder(folder)
        open_bundle(self._folder)
        if os.path.lexists(self._out):  # rename would silently replace an empty folder
            raise BundleError(
                f"{self._out}: exists already; it was made while this one was written"
            )
        self._folder.rename(self._out)
        sync_folder(self._out.parent)

    def _clean(self) -> None:
        """Remove what is left when the bundle did not appear."""
        if self._folder == self._out or not self._folder.exists():
            return
        shutil.rmtree(self._folder, ignore_errors=True)
        for parent in self._parents:
            try:
                parent.rmdir()
            except OSError:  # somebody else uses it by now
                break


def _make_parents(folder: Path) -> list[Path]:
    """Make the folder and its parents; those made are given back, the innermost first."""
    made = []
    missing = folder
    while not missing.exists():
        made.append(missing)
        missing = missing.parent
    folder.mkdir(parents=True, exist_ok=True)
    return made


@contextmanager
def _explained(out: Path) -> Iterator[None]:
    """Turn the operating system's errors into ours."""
    try:
        yield
    except OSError as error:
        if isinstance(error, DiskFullError):
            raise
        if error.errno in FULL:
            raise _disk_full(out) from error
        raise BundleError(f"{out}: cannot be written: {error}") from error


def _disk_full(out: Path) -> DiskFullError:
    """The error for a full disk."""
    return DiskFullError(f"{out}: no space left on the disk; nothing was left behind")


def _own_version() -> str:
    """The version of takeroot that writes."""
    try:
        return version("takeroot")
    except PackageNotFoundError:  # run from a source tree
        return "unknown"
