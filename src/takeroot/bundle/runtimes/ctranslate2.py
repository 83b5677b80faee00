"""Texts written by CTranslate2: decoders (generate) and encoder-decoders (seq2seq), no torch.

The model is built from the verified bytes. One thread computes a batch, and as many batches run at
once as there are threads: one thread is the quickest for one prompt on small models (measured), and
weights are in memory once. Rows of a batch do not see each other. In a decoder's batch, what the
longer prompts have beyond the shortest is fed token by token, so that prompts share a batch only
where they are nearly equally long.

Shapes: N inputs.
"""

from __future__ import annotations

import math
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from takeroot.bundle.outputs import Outputs, Written
from takeroot.bundle.prompts import Encoded, Prompts
from takeroot.bundle.runtimes.runtime import Heard, Read
from takeroot.bundle.runtimes.vocabulary import VOCABULARIES, check_vocabulary
from takeroot.bundle.spec import AnyInput, Spec
from takeroot.bundle.tokens import load_tokenizer
from takeroot.bundle.unfold import Unfolding
from takeroot.errors import BundleError, DataError, require

MODEL, CONFIG, TOKENIZER = "model.bin", "config.json", "tokenizer.json"
BATCH = 8  # rows; more gain little on a CPU, and each row's memory grows with its length
SPREAD = 8  # tokens by which prompts of a decoder's batch may differ in length
LOOK_S = 0.02  # between two looks whether Ctrl-C was pressed while a batch computes


@dataclass
class _Row:
    """One answer while it is written.

    Args:
        number: Of the input.
        ids: Of the input.
        limit: Most tokens of the answer.
        text: The answer so far.
        end: Tokens that end it.
        log_probabilities: Of the tokens and of the end.
        ended: Whether an end token came.
    """

    number: int
    ids: list[int]
    limit: int
    text: Unfolding
    end: frozenset[int]
    log_probabilities: list[float] = field(default_factory=list)
    ended: bool = False

    def step(self, token: int, log_probability: float, heard: Heard | None) -> bool:
        """Take the next token; whether it is the last."""
        self.log_probabilities.append(log_probability)
        self.ended = token in self.end
        piece = "" if self.ended else self.text.add(token)
        last = self.ended or self.text.count >= self.limit
        piece += self.text.rest() if last else ""
        on = heard is None or heard(self.number, piece, self.written() if last else None)
        return last or not on

    def whole(self, found: Any, heard: Heard | None) -> None:
        """Take an answer that was found by beam search, of which no single step is told."""
        ids = found.sequences_ids[0] if hasattr(found, "sequences_ids") else None
        ids = self.text.ids_of(found.hypotheses[0]) if ids is None else ids
        self.ended = len(ids) < self.limit
        self.log_probabilities = [found.scores[0]]
        pieces = [self.text.add(token) for token in ids]
        if heard is not None:
            heard(self.number, "".join([*pieces, self.text.rest()]), self.written())

    def written(self) -> Written:
        """The answer."""
        mean = math.fsum(self.log_probabilities) / max(1, len(self.log_probabilities))
        confidence = math.exp(min(0.0, mean))
        return Written(self.text.text, self.text.count, confidence, self.ended, len(self.ids))


class Ctranslate2Runtime:
    """Runs model.bin; see the package's description."""

    def __init__(self, spec: Spec, read: Read, *, threads: int) -> None:
        assert spec.generation is not None  # the spec checks it
        self._spec, self._how = spec, spec.generation
        self._tokenizer = load_tokenizer(read(TOKENIZER), TOKENIZER)
        self._prompts = Prompts(self._tokenizer, self._how, spec.max_tokens)
        self._end = frozenset(self._prompts.end)
        files, vocabulary = _files(read)
        check_vocabulary(files[vocabulary], vocabulary, self._tokenizer)
        self._engine = _open(spec.task, files, threads)
        self._close = weakref.finalize(self, self._engine.clear)

    def run(self, inputs: Sequence[AnyInput]) -> Outputs:
        """The answer to each input."""
        return self.write(inputs)

    def write(
        self,
        inputs: Sequence[AnyInput],
        *,
        max_new_tokens: Sequence[int] | None = None,
        heard: Heard | None = None,
    ) -> Outputs:
        """The answer to each input, and its pieces as they come.

        Args:
            inputs: Prompts, chats or sources.
            max_new_tokens: Most tokens of each answer; the bundle's limit when absent.
            heard: Called for every token, from the threads that compute.

        Raises:
            DataError: If an input cannot be asked.
        """
        encoded = [self._encode(number, item) for number, item in enumerate(inputs)]
        limits = max_new_tokens or [self._how.max_new_tokens] * len(inputs)
        rows = [
            _Row(
                number,
                each.ids,
                self._limit(each.ids, limit),
                Unfolding(self._tokenizer),
                self._end,
            )
            for number, (each, limit) in enumerate(zip(encoded, limits, strict=True))
        ]
        self._compute(rows, heard)
        return Outputs(
            np.zeros((len(rows), 0), np.float32),
            tokens=tuple(len(row.ids) + row.text.count for row in rows),
            truncated=tuple(row.number for row in rows if encoded[row.number].truncated),
            written=tuple(row.written() for row in rows),
        )

    def encode(self, item: AnyInput) -> Encoded:
        """The input's tokens.

        Raises:
            DataError: If it cannot be asked.
        """
        return self._prompts.encode(item)  # type: ignore[arg-type]  # Predictor checked it

    def _encode(self, number: int, item: AnyInput) -> Encoded:
        """The input's tokens."""
        try:
            return self.encode(item)
        except DataError as error:
            raise DataError(f"input {number}: {error}") from error

    def _limit(self, ids: list[int], asked: int) -> int:
        """Most tokens of an answer: what was asked for, as far as the model reaches."""
        if self._how.context is None:
            return asked
        taken = len(ids) if self._spec.task == "generate" else 0
        return max(1, min(asked, self._how.context - taken))

    def _compute(self, rows: list[_Row], heard: Heard | None) -> None:
        """Write all answers, as many batches at once as there are threads."""
        stop = threading.Event()
        try:
            jobs = [_Job(batch, self._start, heard, stop) for batch in self._batches(rows)]
            for job in jobs:
                job.wait()
        except RuntimeError as error:
            raise BundleError(f"{MODEL}: CTranslate2 cannot compute: {error}") from error
        finally:
            stop.set()  # every step asks: after an error or Ctrl-C the rest ends with its next

    def _batches(self, rows: list[_Row]) -> Iterator[list[_Row]]:
        """The rows in batches, the longest inputs first."""
        decoder = self._spec.task == "generate"
        batch: list[_Row] = []
        for row in sorted(rows, key=lambda row: -len(row.ids)):
            # NOTE: beside a prompt of one token the rest of longer ones would be in their answers.
            spread = 0 if len(row.ids) == 1 or self._how.beams > 1 else SPREAD
            far = decoder and batch and len(batch[0].ids) - len(row.ids) > spread
            if len(batch) == BATCH or far:
                yield batch
                batch = []
            batch.append(row)
        if batch:
            yield batch

    def _start(self, batch: list[_Row], step: Callable[[Any], bool]) -> list[Any]:
        """Have a batch computed in another thread; ``step`` hears of every token."""
        (engine,) = self._engine
        ids = [[self._token(number) for number in row.ids] for row in batch]
        options: dict[str, Any] = {
            "asynchronous": True,
            "beam_size": self._how.beams,
            "end_token": list(self._how.end),
            "return_scores": True,
        }
        if self._how.beams == 1:
            options["callback"] = step
        most = max(row.limit for row in batch)
        if self._spec.task == "seq2seq":
            options |= {"max_decoding_length": most, "min_decoding_length": 0}
            found = engine.translate_batch(ids, max_input_length=0, **options)
        else:
            options |= {"max_length": most, "include_prompt_in_result": False}
            found = engine.generate_batch(ids, **options)
        return list(found)

    def _token(self, number: int) -> str:
        """A token by its id."""
        return str(self._tokenizer.id_to_token(number))


_Start = Callable[[list[_Row], Callable[[Any], bool]], list[Any]]


class _Job:
    """A batch that is computed in another thread.

    Args:
        batch: Its rows.
        start: Has it computed.
        heard: As ``write`` has it.
        stop: Set when nothing is wanted any more.
    """

    def __init__(
        self, batch: list[_Row], start: _Start, heard: Heard | None, stop: threading.Event
    ) -> None:
        self._batch, self._heard, self._stop = batch, heard, stop
        self._going = len(batch)
        self._done = threading.Event()
        self._results = start(batch, self._step)

    def wait(self) -> None:
        """Until every row is written."""
        for row, result in zip(self._batch, self._results, strict=True):
            while not result.done():  # result() alone would not let Ctrl-C through
                self._done.wait(LOOK_S)
            found = result.result()
            if not row.log_probabilities:
                row.whole(found, self._heard)

    def _step(self, step: Any) -> bool:
        """Hear of a token, in the thread that computes; whether it is its row's last."""
        row = self._batch[step.batch_id]
        last = self._stop.is_set() or row.step(step.token_id, step.log_prob, self._heard)
        if last or step.is_last:
            self._going -= 1
            if not self._going:
                self._done.set()
        return last


def _files(read: Read) -> tuple[dict[str, bytes], str]:
    """What CTranslate2 reads, and which of it is the vocabulary."""
    for vocabulary in VOCABULARIES:
        try:
            tokens = read(vocabulary)
        except BundleError:
            continue
        return {MODEL: read(MODEL), CONFIG: read(CONFIG), vocabulary: tokens}, vocabulary
    raise BundleError(f"one of {', '.join(VOCABULARIES)} is needed for 'ctranslate2'")


def _open(task: str, files: dict[str, bytes], threads: int) -> list[Any]:
    """The engine, in a list that is to be cleared before the interpreter ends.

    One that is left to the interpreter's end aborts the process: its threads still let go of the
    functions they called.
    """
    engines = require("ctranslate2", extra="generate")
    build = engines.Generator if task == "generate" else engines.Translator
    try:
        return [
            build(MODEL, files=files, inter_threads=threads, intra_threads=1, max_queued_batches=-1)
        ]
    except (RuntimeError, ValueError) as error:
        raise BundleError(f"{MODEL}: CTranslate2 cannot load it: {error}") from error
