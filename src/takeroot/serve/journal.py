"""Lines appended to files by a thread, so that no request waits for a disk.

What waits is bounded: beyond, or when the disk takes no more, entries are dropped and counted. A
file gets whole lines or none. It is opened for each batch, so files may be moved away or removed
while the server runs, and several servers may share them.
"""

from __future__ import annotations

import fcntl
import logging
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Condition, Thread

from takeroot.errors import TakerootError
from takeroot.serve.failure import place
from takeroot.serve.seldom import Seldom

MOST_WAITING = 64 << 20  # bytes
CLOSE_S = 10.0  # a disk that hangs may hold up the end for so long
_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
_BLOCK = 1 << 16

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Entry:
    """Lines for one file.

    Args:
        file: Its path below the folder.
        count: How many lines.
        size: About how much memory the entry takes, in bytes.
        lines: Makes them, each with its line feed; called by the journal's thread.
    """

    file: str
    count: int
    size: int
    lines: Callable[[], bytes]


class Journal:
    """A folder of files that are appended to. Every method may be called from any thread.

    Args:
        folder: Made where there is none, for its owner only.
        most_waiting: Bytes that may wait to be written.

    Raises:
        TakerootError: If the folder cannot be written to.
    """

    def __init__(self, folder: Path, most_waiting: int = MOST_WAITING) -> None:
        _make(folder)
        self.written = 0
        self.dropped = 0
        self._folder = folder
        self._most_waiting = most_waiting
        self._changed = Condition()
        self._waiting: list[Entry] = []
        self._held = 0  # bytes of what waits or is being written
        self._closing = False
        self._seldom = Seldom(log, "%d records were dropped: %s")
        self._writer = Thread(target=self._run, name="takeroot-journal", daemon=True)
        self._writer.start()

    def put(self, entry: Entry) -> None:
        """Have an entry written soon, or drop it if too much waits already."""
        with self._changed:
            room = self._held + entry.size <= self._most_waiting and not self._closing
            if room:
                self._held += entry.size
                self._waiting.append(entry)
                self._changed.notify()
        if not room:
            self.drop(entry.count, "the disk is slower than what is to be recorded")

    def drop(self, count: int, cause: str) -> None:
        """Count what is not written, and say so now and then."""
        with self._changed:
            self.dropped += count
        self._seldom.tell(count, cause)

    def close(self) -> None:
        """Write what waits and end the thread; calling it again does nothing."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._writer.join(CLOSE_S)
        with self._changed:
            left, self._waiting = self._waiting, []
        if left:
            self.drop(sum(entry.count for entry in left), f"not written within {CLOSE_S:g} s")
        self._seldom.flush()

    def _run(self) -> None:
        """The thread: write until closed."""
        while batch := self._next():
            by_file: defaultdict[str, list[Entry]] = defaultdict(list)
            for entry in batch:
                by_file[entry.file].append(entry)
            for file, entries in by_file.items():
                self._write(file, entries)
            with self._changed:
                self._held -= sum(entry.size for entry in batch)

    def _next(self) -> list[Entry]:
        """What waits, as soon as there is something; nothing at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closing)
            batch, self._waiting = self._waiting, []
        return batch

    def _write(self, file: str, entries: Sequence[Entry]) -> None:
        """Append entries to their file, or drop them."""
        count = sum(entry.count for entry in entries)
        try:
            append(self._folder / file, (entry.lines() for entry in entries))
        except OSError as error:
            self.drop(count, f"{self._folder / file}: {error.strerror}")
        except Exception as error:  # a fault of ours must not end the thread
            self.drop(count, place(error))
        else:
            self.written += count


def append(path: Path, pieces: Iterable[bytes]) -> None:
    """Add whole lines to a file for its owner only: all of them, or none.

    A line that an ended process left half written is cut off first.

    Raises:
        OSError: If they cannot be written.
    """
    data = memoryview(b"".join(pieces))
    path.parent.mkdir(mode=0o700, exist_ok=True)
    file = os.open(path, _FLAGS, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        size = _whole(file)
        try:
            while data:
                data = data[os.write(file, data) :]
        except OSError:
            os.ftruncate(file, size)
            raise
    finally:
        os.close(file)


def _whole(file: int) -> int:
    """Cut the file after its last line feed; its size then."""
    size = end = os.fstat(file).st_size
    while end:
        start = max(0, end - _BLOCK)
        at = os.pread(file, end - start, start).rfind(b"\n")
        end = start + at + 1
        if at >= 0:
            break
    if end < size:
        os.ftruncate(file, end)
    return end


def _make(folder: Path) -> None:
    """Make the folder, and see that it can be written to."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(13, "no permission to write")
    except OSError as error:
        raise TakerootError(f"{folder}: records cannot be kept there: {error.strerror}") from error
