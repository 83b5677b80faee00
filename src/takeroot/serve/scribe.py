"""In a worker process: texts that are written beside what the worker does otherwise.

A run of them has a thread of its own, which waits while the engine computes, so that models of
labels go on being answered and the worker hears of clients that left.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress

import msgspec

from takeroot.bundle import Answer, Predictor
from takeroot.bundle.decode import written_answer
from takeroot.bundle.outputs import Written
from takeroot.serve.wire import (
    Ended,
    FromWorker,
    Leave,
    Told,
    TooLong,
    Wanted,
    Write,
    Wrote,
)

Say = Callable[[FromWorker], None]

_json = msgspec.json.Encoder()


class Scribe:
    """The runs of one worker.

    Args:
        say: Tells the server something; called from any thread.
    """

    def __init__(self, say: Say) -> None:
        self.say = say
        self._left: dict[int, set[int]] = {}  # by run: places of texts nobody waits for
        self._threads: dict[int, threading.Thread] = {}
        self._ending = False

    def write(self, message: Write, predictor: Predictor | None) -> None:
        """Begin a run."""
        number = message.number
        self._left[number] = set()
        thread = threading.Thread(target=self._run, args=(message, predictor), daemon=True)
        self._threads[number] = thread
        thread.start()

    def leave(self, message: Leave) -> None:
        """Stop writing a text."""
        self._left.get(message.number, set()).add(message.place)

    def end(self) -> None:
        """Stop writing anything, and wait until that is done."""
        self._ending = True
        for thread in list(self._threads.values()):
            thread.join()

    def _run(self, message: Write, predictor: Predictor | None) -> None:
        """Write the texts of a run, in its thread."""
        number = message.number
        try:
            if predictor is None:
                raise KeyError(message.key)
            self._write(message, predictor)
        except Exception as error:  # whatever it is, the worker goes on with the next run
            self._tell(Ended(number, type(error).__name__))
        else:
            self._tell(Ended(number))
        del self._left[number], self._threads[number]

    def _write(self, message: Write, predictor: Predictor) -> None:
        """Write the texts that can be, and say of each how it goes."""
        start = time.perf_counter_ns()
        number, left = message.number, self._left[message.number]
        places = []
        for place, wanted in enumerate(message.texts):
            if predictor.fits(wanted.prompt):
                places.append(place)
            else:
                self.say(TooLong(number, place, predictor.spec.max_tokens))

        def heard(row: int, piece: str, whole: Written | None) -> bool:
            place = places[row]
            wanted = message.texts[place]
            if self._ending or place in left:
                return False
            if piece and wanted.told:
                self.say(Told(number, place, piece))
            if whole is not None:
                spent = time.perf_counter_ns() - start
                answer = _answer(whole, wanted)
                self.say(Wrote(number, place, answer, whole.read, whole.tokens, spent))
            return True

        texts = [message.texts[place] for place in places]
        predictor.write([each.prompt for each in texts], [each.limit for each in texts], heard)

    def _tell(self, message: FromWorker) -> None:
        """Say something, unless the server is gone."""
        with suppress(OSError):
            self.say(message)


def _answer(whole: Written, wanted: Wanted) -> bytes | Answer:
    """A written text in the form asked for."""
    answer = written_answer(whole)
    return _json.encode(answer.to_json()) if wanted.form == "json" else answer
