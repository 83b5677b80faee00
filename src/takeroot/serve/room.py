"""How much may wait: beyond, a request is refused before anything is done for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from takeroot.serve.faults import ServeError
from takeroot.serve.pool import Pool
from takeroot.serve.settings import Settings

if TYPE_CHECKING:  # loaded where something is recorded, for it takes time
    from takeroot.serve.records import Recorder

RETRY_AFTER_S = 1.0


@dataclass(frozen=True)
class Room:
    """What may wait, and what does.

    Args:
        settings: The limits.
        pool: Where it waits to be computed or written.
        recorder: Where it waits to be masked; None if nothing is.
    """

    settings: Settings
    pool: Pool
    recorder: Recorder | None

    def demand(self, texts: int, *, writes: bool) -> None:
        """Refuse a request that would make the queue longer than it may be.

        Args:
            texts: How many it adds.
            writes: Whether they are to be written.

        Raises:
            ServeError: overloaded.
        """
        if not (self.has_to_write(texts) if writes else self.has(texts)):
            raise ServeError("overloaded", retry_after_s=RETRY_AFTER_S)

    def has(self, texts: int, coming: int = 0) -> bool:
        """Whether so many texts more may wait; always where none does.

        Args:
            texts: How many are added.
            coming: Texts that are added before them, taken to be as long as those that wait.
        """
        masking = 0 if self.recorder is None else self.recorder.masking
        queued, settings = self.pool.queue.waiting_texts, self.settings
        waiting = queued + masking + coming
        if not waiting:
            return True
        wait_s = self.pool.wait_s * (1 + coming / max(1, queued))
        return waiting + texts <= settings.queue_texts and wait_s <= settings.wait_s

    def has_to_write(self, texts: int) -> bool:
        """Whether so many texts more may wait to be written; always where none does."""
        waiting = self.pool.writing.queue.waiting_texts
        return not waiting or waiting + texts <= self.settings.queue_answers
