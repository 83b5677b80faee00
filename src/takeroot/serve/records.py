"""What is kept of answered requests: one JSON line a text, by model and day (UTC).

Personal data is masked before a text is computed or kept, in a thread beside the event loop, a few
thousand characters at a time so that a long text does not hold up short ones. A text that cannot
be masked is refused: nothing of it is kept. See ``journal`` for how lines get into files.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from takeroot.bundle.answer import Answer
from takeroot.bundle.spec import Spec
from takeroot.errors import DataError, RecipeError
from takeroot.privacy import KEY_BYTES, Masked, Masker, MaskingError, read_names
from takeroot.serve.faults import ServeError
from takeroot.serve.journal import Entry, Journal
from takeroot.serve.request_id import REQUEST_ID
from takeroot.serve.seldom import Seldom
from takeroot.serve.settings import Settings
from takeroot.serve.wire import Input

if TYPE_CHECKING:
    from takeroot.serve.models import ModelInfo

CHARS_AT_ONCE = 4096  # of the texts that are masked in one go
ENTRY_BYTES = 1024  # what a line takes in memory beside its text, about
LABEL_BYTES = 128  # and each label of its answer

Kept = tuple[Masked, ...]  # a text, or the two of a pair

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class About:
    """A request that is recorded.

    Args:
        time: When it was answered.
        request_id: As the caller was told.
        model: The model's name.
        version: Its version.
        token: Name of the caller's token.
        masked: Whether personal data was replaced in its texts.
    """

    time: datetime
    request_id: str
    model: str
    version: str
    token: str
    masked: bool


class Stretch(msgspec.Struct):
    """An entity; offsets into the recorded text."""

    start: int
    end: int
    label: str
    text: str
    confidence: float


class Outcome(msgspec.Struct):
    """What is recorded of an answer: all but the probabilities."""

    confidence: float
    abstained: bool
    reason: str | None
    label: str | msgspec.UnsetType = msgspec.UNSET
    labels: list[str] | msgspec.UnsetType = msgspec.UNSET
    entities: list[Stretch] | msgspec.UnsetType = msgspec.UNSET


class Line(msgspec.Struct):
    """One line of a file."""

    time: str
    request_id: str
    model: str
    version: str
    token: str
    masked: bool
    text: str
    second: str | msgspec.UnsetType
    label: str | msgspec.UnsetType
    labels: list[str] | msgspec.UnsetType
    entities: list[Stretch] | msgspec.UnsetType
    confidence: float
    abstained: bool
    reason: str | None


_decoder = msgspec.json.Decoder(Outcome)
_encode = msgspec.json.Encoder().encode


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

    async def prepare(self, spec: Spec, inputs: Sequence[Input], limit: float) -> list[Kept]:
        """The texts as they may be kept, before anything is done with them.

        Args:
            spec: Of the model they are for.
            inputs: Texts or pairs.
            limit: When time is up, on the loop's clock.

        Raises:
            ServeError: masking_failed, deadline_exceeded.
        """
        if not self._masks(spec):
            return [tuple(map(Masked, _texts(item))) for item in inputs]
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
        chars = sum(len(part.text) for each in texts for part in each)
        written = sum(len(each) for each in found if isinstance(each, bytes))
        labels = len(info.spec.labels) * sum(isinstance(each, Answer) for each in found)
        size = ENTRY_BYTES * len(texts) + chars + written + LABEL_BYTES * labels
        file = f"{info.name}/{now:%Y-%m-%d}.jsonl"
        lines = partial(_lines, about, texts, found)
        self._journal.put(Entry(file, len(texts), size, lines))

    def close(self) -> None:
        """Write what waits and end the threads."""
        self._thread.shutdown(cancel_futures=True)
        self._journal.close()
        self._seldom.flush()

    def _masks(self, spec: Spec) -> bool:
        """Whether this model's texts are kept only masked."""
        return self._mask or spec.mask

    async def _masked(self, inputs: Sequence[Input]) -> list[Kept]:
        """The masked texts; between two goes others have their turn."""
        loop = asyncio.get_running_loop()
        done: list[Kept] = []
        for part in _goes(inputs):
            done += await loop.run_in_executor(self._thread, self._mask_all, part)
        return done

    def _mask_all(self, inputs: Sequence[Input]) -> list[Kept]:
        """In the thread: mask some texts."""
        return [tuple(map(self._masker.mask, _texts(item))) for item in inputs]


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


def _texts(item: Input) -> tuple[str, ...]:
    """The texts of an input."""
    return (item,) if isinstance(item, str) else item


def _goes(inputs: Sequence[Input]) -> Iterator[Sequence[Input]]:
    """Inputs in stretches of some thousand characters, one input at least."""
    start = chars = 0
    for place, item in enumerate(inputs):
        size = sum(map(len, _texts(item)))
        if place > start and chars + size > CHARS_AT_ONCE:
            yield inputs[start:place]
            start, chars = place, 0
        chars += size
    yield inputs[start:]


def _lines(about: About, texts: list[Kept], found: Sequence[bytes | Answer]) -> bytes:
    """The lines of one request, in order of its texts."""
    time = about.time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    made = []
    for kept, answer in zip(texts, found, strict=True):
        outcome = _outcome_of(answer)
        line = Line(
            time=time,
            request_id=about.request_id,
            model=about.model,
            version=about.version,
            token=about.token,
            masked=about.masked,
            text=kept[0].text,
            second=kept[1].text if len(kept) > 1 else msgspec.UNSET,
            label=outcome.label,
            labels=outcome.labels,
            entities=_moved(outcome.entities, kept[0]),
            confidence=outcome.confidence,
            abstained=outcome.abstained,
            reason=outcome.reason,
        )
        made.append(_encode(line))
    return b"\n".join((*made, b""))


def _outcome_of(answer: bytes | Answer) -> Outcome:
    """What is kept of an answer, in whichever form it came."""
    if isinstance(answer, bytes):
        return _decoder.decode(answer)
    return msgspec.convert(answer.to_json(), Outcome)


def _moved(
    entities: list[Stretch] | msgspec.UnsetType, kept: Masked
) -> list[Stretch] | msgspec.UnsetType:
    """Entities where they stand in the recorded text, with its characters."""
    if isinstance(entities, msgspec.UnsetType):
        return entities
    moved = []
    for each in entities:
        start, end = kept.span(each.start, each.end)
        moved.append(replace(each, start=start, end=end, text=kept.text[start:end]))
    return moved
