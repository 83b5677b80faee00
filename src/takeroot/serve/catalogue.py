"""Which bundles are served: what a folder holds, and what changed in it.

The folder is a bundle, or holds bundles, or holds folders of bundles (versions of a model). A
model's name is the one in its bundle; its version the first 12 digits of the model's hash.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from takeroot.bundle.manifest import MANIFEST
from takeroot.errors import BundleError

DEPTH = 2  # folders below the given one that are looked into


@dataclass(frozen=True)
class Place:
    """A bundle's folder, as it stood when it was looked at.

    Args:
        path: The folder.
        stamp: Inode, size and time of its manifest: another stamp is another bundle.
    """

    path: str
    stamp: tuple[int, int, int]

    @property
    def key(self) -> str:
        """What the workers call it: never the same for two contents of one folder."""
        return f"{self.path}@{'-'.join(map(str, self.stamp))}"


def scan(folder: Path) -> list[Place]:
    """The bundles in a folder, in order of their paths.

    Raises:
        BundleError: If the folder is not there.
    """
    if not folder.is_dir():
        raise BundleError(f"{folder}: not a folder; name a bundle or a folder of bundles")
    found: list[Place] = []
    _look(folder, DEPTH, found)
    return found


def _look(folder: Path, depth: int, found: list[Place]) -> None:
    """Add the bundle in a folder, or those below it."""
    try:
        about = (folder / MANIFEST).stat(follow_symlinks=False)
    except OSError:
        about = None
    if about is not None:
        found.append(Place(str(folder), (about.st_ino, about.st_size, about.st_mtime_ns)))
        return
    if depth:
        for each in sorted(folder.iterdir()):
            if each.is_dir() and not each.name.startswith("."):
                _look(each, depth - 1, found)
