"""Open a bundle: nothing is parsed before the whole folder has been verified.

Every file is opened once, relative to the folder's descriptor and without following links, and
what is hashed is what is handed out. Files that only people or training read are hashed in pieces
and read again, and verified again, when asked for.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from takeroot.bundle.abstain import REFERENCE_ARRAYS
from takeroot.bundle.manifest import (
    MANIFEST,
    MAX_FILES,
    MIB,
    SPEC,
    FileEntry,
    Manifest,
    check_path,
    model_sha256,
    parse_manifest,
    size_cap,
)
from takeroot.bundle.onnx_file import check_self_contained
from takeroot.bundle.spec import Spec, parse_spec
from takeroot.errors import BundleError

REFERENCE = "reference.safetensors"
_NEEDED = {
    "onnx": ("model.onnx", "tokenizer.json"),
    "linear": ("features.json", "linear.safetensors"),
    "ctranslate2": ("model.bin", "config.json", "tokenizer.json"),
}
_SERVED = (
    SPEC,
    "tokenizer.json",
    "model.onnx",
    "features.json",
    "linear.safetensors",
    "model.bin",
    "config.json",
    "vocabulary.json",
    "shared_vocabulary.json",
    REFERENCE,
)
_FOLDERS = ("weights", "evidence")
_PIECE = 4 * MIB
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK  # never wait on a named pipe


@dataclass(frozen=True)
class Bundle:
    """A verified bundle.

    Args:
        path: Its folder.
        spec: What bundle.json says.
        manifest: What manifest.json says.
    """

    path: Path
    spec: Spec
    manifest: Manifest
    _contents: dict[str, bytes] = field(repr=False)

    @property
    def name(self) -> str:
        """The model's name."""
        return self.spec.name

    @property
    def sha256(self) -> str:
        """The hash of all that determines answers."""
        return self.manifest.model_sha256

    @property
    def files(self) -> tuple[str, ...]:
        """Paths of all files but the manifest."""
        return tuple(entry.path for entry in self.manifest.files)

    def read(self, path: str) -> bytes:
        """The verified content of a file.

        Raises:
            BundleError: If the bundle has no such file, or it was changed since.
        """
        if path in self._contents:
            return self._contents[path]
        for entry in self.manifest.files:
            if entry.path == path:
                with _descriptor(self.path) as root:
                    return _content(root, entry, self.path, keep=True)
        raise BundleError(f"{self.path}: no file {path!r}; there is: {', '.join(self.files)}")


def open_bundle(folder: Path | str, *, served_only: bool = False) -> Bundle:
    """The bundle in ``folder``, every file of it verified.

    Args:
        folder: Its folder.
        served_only: Whether files that only people or training read are left unread; they must be
            there, and are verified when ``Bundle.read`` is asked for them.

    Raises:
        BundleError: If the folder is no bundle, a file is extra, missing, changed, linked or too
            large, the format is unknown, or the files do not fit each other.
    """
    folder = Path(folder)
    with _descriptor(folder) as root:
        data = _read_manifest(root, folder)
        manifest = parse_manifest(data, str(folder / MANIFEST))
        _check_paths(root, manifest, folder)
        kept = {
            entry.path: _content(root, entry, folder, keep=entry.path in _SERVED)
            for entry in manifest.files
            if entry.path in _SERVED or not served_only
        }
    contents = {path: content for path, content in kept.items() if path in _SERVED}
    spec = parse_spec(contents[SPEC], str(folder / SPEC))
    _check_fit(folder, spec, manifest)
    if "model.onnx" in contents:
        check_self_contained(contents["model.onnx"], str(folder / "model.onnx"))
    return Bundle(folder, spec, manifest, contents)


@contextmanager
def _descriptor(folder: Path) -> Iterator[int]:
    """The open folder."""
    try:
        root = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise BundleError(f"{folder}: not a bundle folder: {error.strerror}") from error
    try:
        yield root
    finally:
        os.close(root)


def _read_manifest(root: int, folder: Path) -> bytes:
    """The bytes of manifest.json, which has no entry of its own."""
    with _opened(root, MANIFEST, folder) as (file, size):
        if size > MIB:
            raise BundleError(f"{folder / MANIFEST}: {size} bytes, more than {MIB}")
        return _exactly(file, size)


def _check_paths(root: int, manifest: Manifest, folder: Path) -> None:
    """Refuse missing, extra, unknown and repeated files."""
    listed = [entry.path for entry in manifest.files]
    for path in listed:
        check_path(path)
    if listed != sorted(set(listed)):
        raise BundleError(f"{folder / MANIFEST}: files must be sorted and different")
    found = _listing(root, folder)
    extra, missing = found - set(listed), set(listed) - found
    if missing or SPEC not in listed:
        raise BundleError(f"{folder}: {min(missing or {SPEC})!r} is missing")
    if extra:
        raise BundleError(f"{folder}: {min(extra)!r} is not in {MANIFEST}; remove it")


def _listing(root: int, folder: Path) -> set[str]:
    """Paths of all there is, but the manifest; folders only where a bundle has them."""
    found = set()
    for name in _names(root, folder):
        if name not in _FOLDERS:
            found.add(name)
            continue
        with _subfolder(root, name, folder) as inner:
            found |= {f"{name}/{each}" for each in _names(inner, folder)} or {f"{name}/"}
    return found - {MANIFEST}


def _names(descriptor: int, folder: Path) -> list[str]:
    """Names in an open folder."""
    names = os.listdir(descriptor)
    if len(names) > MAX_FILES + 1:
        raise BundleError(f"{folder}: {len(names)} files in one folder, more than {MAX_FILES}")
    return names


@contextmanager
def _subfolder(root: int, name: str, folder: Path) -> Iterator[int]:
    """An open folder in the bundle, which must not be a link."""
    try:
        inner = os.open(name, _FLAGS | os.O_DIRECTORY, dir_fd=root)
    except OSError as error:
        raise BundleError(f"{folder / name}: must be a folder, not a link: {error}") from error
    try:
        yield inner
    finally:
        os.close(inner)


@contextmanager
def _opened(root: int, path: str, folder: Path) -> Iterator[tuple[int, int]]:
    """Descriptor and size of a regular file that has no other name."""
    parent, _, name = path.rpartition("/")
    if parent:
        with _subfolder(root, parent, folder) as inner, _opened(inner, name, folder / parent) as it:
            yield it
        return
    try:
        file = os.open(name, _FLAGS, dir_fd=root)
    except FileNotFoundError as error:
        raise BundleError(f"{folder}: {name!r} is missing") from error
    except OSError as error:
        raise BundleError(f"{folder / name}: cannot be opened or is a link: {error}") from error
    try:
        about = os.fstat(file)
        if not stat.S_ISREG(about.st_mode):
            raise BundleError(f"{folder / name}: must be a regular file")
        if about.st_nlink != 1:
            raise BundleError(f"{folder / name}: has {about.st_nlink} hard links, must have 1")
        yield file, about.st_size
    finally:
        os.close(file)


def _content(root: int, entry: FileEntry, folder: Path, *, keep: bool) -> bytes:
    """The file's content where it is kept, after comparing size and sha256."""
    where = folder / entry.path
    with _opened(root, entry.path, folder) as (file, size):
        if size != entry.size or size > size_cap(entry.path):
            most = size_cap(entry.path)
            raise BundleError(f"{where}: {size} bytes, must be {entry.size} and at most {most}")
        hasher = hashlib.sha256()
        if keep:
            content = _exactly(file, size)
            hasher.update(content)
        else:
            content = b""
            while piece := os.read(file, _PIECE):
                hasher.update(piece)
    if hasher.hexdigest() != entry.sha256:
        raise BundleError(f"{where}: was changed after the bundle was written (sha256 differs)")
    return content


def _exactly(file: int, size: int) -> bytes:
    """``size`` bytes, or fewer where the file has become shorter (the hash will tell)."""
    with open(file, "rb", closefd=False) as handle:
        return handle.read(size)


def _check_fit(folder: Path, spec: Spec, manifest: Manifest) -> None:
    """Refuse files that do not belong together."""
    listed = {entry.path for entry in manifest.files}
    needed = set(_NEEDED[spec.runtime])
    if spec.abstention is not None and REFERENCE_ARRAYS[spec.abstention.method]:
        needed.add(REFERENCE)
    if needed - listed:
        raise BundleError(f"{folder}: {min(needed - listed)!r} is missing for {spec.runtime!r}")
    if manifest.name != spec.name:
        raise BundleError(f"{folder}: {MANIFEST} is of {manifest.name!r}, {SPEC} of {spec.name!r}")
    if model_sha256(spec, manifest.files) != manifest.model_sha256:
        raise BundleError(f"{folder / MANIFEST}: model_sha256 is not that of the files")
