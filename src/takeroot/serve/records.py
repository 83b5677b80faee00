"""What is kept of answered requests: one JSON line a text, by model and day (UTC).

Personal data is masked before a text is computed or kept, in a thread beside the event loop, a few
thousand characters at a time so that a long text does not hold up short ones. A text that cannot
be masked is refused: nothing of it is kept. What a model has written is masked as well, behind its
request; where that cannot be done, nothing of the request is kept. See ``record_lines`` for what a
line holds, and ``journal`` for how lines get into files.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from takeroot.bundle.answer import Answer
from takeroot.bundle.chat import Turn
from takeroot.bundle.spec import Spec
from takeroot.errors import DataError, RecipeError
from takeroot.privacy import KEY_BYTES, Masked, Masker, MaskingError, read_names
from takeroot.serve.faults import ServeError
from takeroot.serve.journal import Entry, Journal
from takeroot.serve.record_lines import About, Kept, Outcome, lines_of, outcome_of
from takeroot.serve.request_id import REQUEST_ID
from takeroot.serve.seldom import Seldom
from takeroot.serve.settings import Settings
from takeroot.serve.wire import Input, Prompt

if TYPE_CHECKING:
    from takeroot.serve.models import ModelInfo

CHARS_AT_ONCE = 4096  # of the texts that are masked in one go
ENTRY_BYTES = 1024  # what a line takes in memory beside its text, about
LABEL_BYTES = 128  # and each label of its answer

log = logging.getLogger(__name__)


class Recorder:
    """Keeps what was asked and answered; used on the event loop.

    Args:
        folder: Where.
        masker: Replaces personal data.
        mask: Whether in the texts of all models; otherwise of those whose bundle says so.

    Raises:
        TakerootError: If the folder cannot be written to.
    """

    def __init__(self, folder: Path, masker: Masker, *, mask: bool) -> None:
        self.masking = 0  # texts that wait to be masked
        self._journal = Journal(folder)
        self._masker, self._mask = masker, mask
        self._thread = ThreadPoolExecutor(1, "takeroot-mask")
        self._seldom = Seldom(log, "%d requests were refused: %s")

    @property
    def written(self) -> int:
        """Lines written."""
        return self._journal.written

    @property
    def dropped(self) -> int:
        """Lines that could not be written."""
        return self._journal.dropped

    async def prepare(
        self, spec: Spec, inputs: Sequence[Input | Prompt], limit: float
    ) -> list[Kept]:
        """The texts as they may be kept, before anything is done with them.

        Args:
            spec: Of the model they are for.
            inputs: Texts, pairs or chats.
            limit: When time is up, on the loop's clock.

        Raises:
            ServeError: masking_failed, deadline_exceeded.
        """
        if not self._masks(spec):
            return [_kept(item, Masked) for item in inputs]
        self.masking += len(inputs)
        try:
            async with asyncio.timeout_at(limit):
                return await self._masked(inputs)
        except TimeoutError:
            raise ServeError("deadline_exceeded") from None
        except MaskingError as error:
            self._seldom.tell(1, error)
            raise ServeError("masking_failed") from None
        finally:
            self.masking -= len(inputs)

    def keep(
        self, info: ModelInfo, token: str, texts: list[Kept], found: Sequence[bytes | Answer]
    ) -> None:
        """Have an answered request recorded.

        Args:
            info: The model.
            token: Name of the caller's token.
            texts: Those of the request, as ``prepare`` gave them.
            found: Their answers, in JSON or as values.
        """
        now = datetime.now(UTC)
        masked = self._masks(info.spec)
        about = About(now, REQUEST_ID.get(), info.name, info.version, token, masked)
        if masked and info.spec.writes:
            self._thread.submit(
                self._keep_masked, about, texts, [outcome_of(each) for each in found]
            )
        else:
            self._put(about, texts, found, len(info.spec.labels))

    def _put(
        self,
        about: About,
        texts: list[Kept],
        found: Sequence[bytes | Answer | Outcome],
        labels: int = 0,
    ) -> None:
        """Have lines written."""
        chars = sum(len(part.text) for each in texts for part in each.parts)
        answers = sum(_size(each, labels) for each in found)
        size = ENTRY_BYTES * len(texts) + chars + answers
        file = f"{about.model}/{about.time:%Y-%m-%d}.jsonl"
        lines = partial(lines_of, about, texts, found)
        self._journal.put(Entry(file, len(texts), size, lines))

    def _keep_masked(self, about: About, texts: list[Kept], found: list[Outcome]) -> None:
        """In the thread: mask what was written, and have it recorded."""
        try:
            for each in found:
                assert isinstance(each.text, str)
                each.text = self._masker.mask(each.text).text
        except MaskingError as error:
            self._journal.drop(len(texts), str(error))
        else:
            self._put(about, texts, found)

    def close(self) -> None:
        """Write what waits and end the threads."""
        self._thread.shutdown()
        self._journal.close()
        self._seldom.flush()

    def _masks(self, spec: Spec) -> bool:
        """Whether this model's texts are kept only masked."""
        return self._mask or spec.mask

    async def _masked(self, inputs: Sequence[Input | Prompt]) -> list[Kept]:
        """The masked texts; between two goes others have their turn."""
        loop = asyncio.get_running_loop()
        done: list[Kept] = []
        for part in _goes(inputs):
            done += await loop.run_in_executor(self._thread, self._mask_all, part)
        return done

    def _mask_all(self, inputs: Sequence[Input | Prompt]) -> list[Kept]:
        """In the thread: mask some texts."""
        return [_kept(item, self._masker.mask) for item in inputs]


def open_recorder(folder: Path, settings: Settings) -> Recorder:
    """The recorder of a server.

    Raises:
        TakerootError: If the folder, the list of names or the key cannot be used.
    """
    names = () if settings.mask_names is None else read_names(settings.mask_names)
    key = None if settings.mask_key_file is None else _read_key(settings.mask_key_file)
    recorder = Recorder(folder, Masker(names=names, key=key), mask=settings.mask)
    which = "all models" if settings.mask else "models whose bundle asks for it"
    log.info("recording in %s; personal data is masked for %s", folder, which)
    return recorder


def _read_key(path: Path) -> bytes:
    """The key for pseudonyms, without blanks and line ends around it.

    Raises:
        DataError: If the file cannot be read.
        RecipeError: If it holds too little.
    """
    try:
        key = path.read_bytes().strip()
    except OSError as error:
        raise DataError(f"{path}: the key cannot be read: {error.strerror}") from error
    if len(key) < KEY_BYTES:
        raise RecipeError(
            f"{path}: holds {len(key)} bytes; a key has {KEY_BYTES} or more: "
            "openssl rand -hex 32 makes one"
        )
    return key


def _texts(item: Input | Prompt) -> list[str]:
    """The texts of an input."""
    if isinstance(item, str):
        return [item]
    return [each.content if isinstance(each, Turn) else each for each in item]


def _kept(item: Input | Prompt, mask: Callable[[str], Masked]) -> Kept:
    """An input with each of its texts masked."""
    roles = () if isinstance(item, str) else (each.role for each in item if isinstance(each, Turn))
    return Kept(tuple(map(mask, _texts(item))), tuple(roles))


def _size(answer: bytes | Answer | Outcome, labels: int) -> int:
    """About how much memory an answer takes, in bytes."""
    if isinstance(answer, bytes):
        return len(answer)
    return LABEL_BYTES * labels + (len(answer.text) if isinstance(answer.text, str) else 0)


def _goes(inputs: Sequence[Input | Prompt]) -> Iterator[Sequence[Input | Prompt]]:
    """Inputs in stretches of some thousand characters, one input at least."""
    start = chars = 0
    for place, item in enumerate(inputs):
        size = sum(map(len, _texts(item)))
        if place > start and chars + size > CHARS_AT_ONCE:
            yield inputs[start:place]
            start, chars = place, 0
        chars += size
    yield inputs[start:]
