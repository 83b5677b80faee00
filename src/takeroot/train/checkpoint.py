"""One checkpoint: a folder that is there whole or not at all, and whose every byte is checked.

Files are written to a hidden folder beside the target, each flushed to disk; the manifest, with
size and sha256 of every other file, comes last; then the folder is renamed and its parent flushed.
A process killed at any moment leaves the old checkpoints and perhaps a hidden folder, which nobody
takes for one and the next start removes. Tensors are safetensors, the rest is JSON.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from takeroot.errors import CheckpointError, TakerootError
from takeroot.files import explained, sync_folder

FORMAT = 1
MANIFEST = "manifest.json"
STATE = "state.json"
PARTIAL = ".partial-"
_TENSORS = ".safetensors"
_PIECE = 16 << 20  # bytes handed to the operating system at once


@dataclass(frozen=True)
class Snapshot:
    """The state of a training.

    Args:
        values: What JSON can hold.
        tensors: The others by group, a file each, and by name.
    """

    values: Mapping[str, Any]
    tensors: Mapping[str, Mapping[str, Tensor]]

    @property
    def size_bytes(self) -> int:
        """What its tensors take."""
        groups = self.tensors.values()
        return sum(each.nbytes for group in groups for each in group.values())


def write(folder: Path, snapshot: Snapshot) -> None:
    """Write a checkpoint; nothing may stand there under its name.

    Raises:
        DiskFullError: If the disk is full.
        CheckpointError: If it cannot be written for another reason.
    """
    partial = folder.with_name(f".{folder.name}{PARTIAL}{token_hex(4)}")
    with explained(folder, " for a checkpoint", CheckpointError, "the checkpoint "):
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            partial.mkdir()
            _fill(partial, snapshot)
            os.rename(partial, folder)
            sync_folder(folder.parent)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def verify(folder: Path) -> None:
    """Refuse a checkpoint that is not as it was written; see :func:`read`."""
    for _ in _checked(folder):
        pass


def read(folder: Path) -> Snapshot:
    """The state in a checkpoint, every file of it checked before it is parsed.

    Raises:
        CheckpointError: If a file is missing, changed, or should not be there.
    """
    files = dict(_checked(folder))
    tensors = {}
    for name, data in files.items():
        if name.endswith(_TENSORS):
            try:
                tensors[name.removesuffix(_TENSORS)] = load(data)
            except SafetensorError as error:
                raise CheckpointError(f"{folder / name}: is not safetensors: {error}") from error
    if STATE not in files:
        raise CheckpointError(f"{folder}: {STATE} is missing")
    return Snapshot(json.loads(files[STATE]), tensors)


def _fill(folder: Path, snapshot: Snapshot) -> None:
    """Write the files, the manifest last."""
    entries = {}
    for group, tensors in snapshot.tensors.items():
        plain = {name: tensor.detach().contiguous() for name, tensor in tensors.items()}
        entries[group + _TENSORS] = _put(folder / (group + _TENSORS), save(plain))
    entries[STATE] = _put(folder / STATE, json.dumps(snapshot.values).encode())
    _put(folder / MANIFEST, _manifest(entries))
    sync_folder(folder)


def _put(path: Path, data: bytes) -> dict[str, Any]:
    """Write a new file to the disk; its entry for the manifest."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(descriptor, rest[:_PIECE]) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def _manifest(entries: Mapping[str, Any]) -> bytes:
    """The manifest's bytes: JSON in one form only, so that no byte of it can change unnoticed."""
    return json.dumps({"format": FORMAT, "files": entries}, sort_keys=True).encode()


def _checked(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of each file the manifest lists, once they are those it lists."""
    try:
        found = {path.name for path in folder.iterdir()}
        entries = _entries(folder)
        if found != {MANIFEST, *entries}:
            odd = ", ".join(sorted(found ^ {MANIFEST, *entries}))
            raise CheckpointError(f"{folder}: files are missing or do not belong there: {odd}")
        for name, entry in entries.items():
            data = (folder / name).read_bytes()
            if entry != {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}:
                raise CheckpointError(
                    f"{folder / name}: was changed after it was written: it has {len(data)} bytes, "
                    f"the manifest {entry['size']}, or its sha256 differs"
                )
            yield name, data
    except OSError as error:
        if isinstance(error, TakerootError):
            raise
        raise CheckpointError(f"{folder}: cannot be read: {error.strerror}") from error


def _entries(folder: Path) -> dict[str, dict[str, Any]]:
    """The manifest's list of files."""
    path = folder / MANIFEST
    data = path.read_bytes()
    try:
        values = json.loads(data)
        version, entries = values["format"], values["files"]
        unchanged = data == _manifest(entries)
        sizes = [entry["size"] for entry in entries.values()]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"{path}: was changed after it was written") from error
    if version != FORMAT:
        raise CheckpointError(f"{path}: format {version!r} is unknown; this version reads {FORMAT}")
    if not unchanged or not all(isinstance(size, int) for size in sizes):
        raise CheckpointError(f"{path}: was changed after it was written")
    return dict(entries)
