"""Pieces of a text, one after the other, from a call that tells them while it computes."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator

from takeroot.bundle.outputs import Written
from takeroot.bundle.runtimes import Heard


def streamed(write: Callable[[Heard], object]) -> Iterator[str]:
    """The pieces that ``write`` tells, as they come.

    Args:
        write: Runs in a thread of its own from the first piece that is asked for; it calls what it
            is given with every piece, and ends soon after that has said False.

    Yields:
        Pieces that are not empty.

    Raises:
        BaseException: Whatever ``write`` raises.
    """
    told: queue.SimpleQueue[str | BaseException | None] = queue.SimpleQueue()
    left = threading.Event()

    def heard(_number: int, piece: str, _whole: Written | None) -> bool:
        if piece:
            told.put(piece)
        return not left.is_set()

    def run() -> None:
        try:
            write(heard)
            told.put(None)
        except BaseException as error:  # it is raised where the pieces are read
            told.put(error)

    thread = threading.Thread(target=run, name="takeroot-stream", daemon=True)
    thread.start()
    try:
        while (item := told.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        left.set()
        thread.join()
