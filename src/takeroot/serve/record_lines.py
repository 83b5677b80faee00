"""What a line of the records holds: a text as it may be kept, and what was answered.

Of models of labels: ``text`` (of pairs also ``second``) with label, labels or entities. Of models
that write: ``prompt`` and ``response``, or ``messages``, a chat whose last turn is the answer; so
that ``takeroot fit`` reads the file as rows to learn from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import replace

from takeroot.bundle.answer import Answer
from takeroot.bundle.chat import Role
from takeroot.privacy import Masked

_UNSET = msgspec.UNSET


@dataclass(frozen=True, slots=True)
class Kept:
    """An input as it may be kept.

    Args:
        parts: A text, the two of a pair, or the turns of a chat.
        roles: Of those turns; empty for what is no chat.
    """

    parts: tuple[Masked, ...]
    roles: tuple[Role, ...] = ()


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
    """What is recorded of an answer: all but the probabilities; ``text`` where one was written."""

    confidence: float
    abstained: bool
    reason: str | None
    label: str | msgspec.UnsetType = _UNSET
    labels: list[str] | msgspec.UnsetType = _UNSET
    entities: list[Stretch] | msgspec.UnsetType = _UNSET
    text: str | msgspec.UnsetType = _UNSET


class Message(msgspec.Struct):
    """One turn of a chat."""

    role: Role
    content: str


class Line(msgspec.Struct, kw_only=True):
    """One line of a file, its keys in this order."""

    time: str
    request_id: str
    model: str
    version: str
    token: str
    masked: bool
    text: str | msgspec.UnsetType = _UNSET
    second: str | msgspec.UnsetType = _UNSET
    prompt: str | msgspec.UnsetType = _UNSET
    response: str | msgspec.UnsetType = _UNSET
    messages: list[Message] | msgspec.UnsetType = _UNSET
    label: str | msgspec.UnsetType = _UNSET
    labels: list[str] | msgspec.UnsetType = _UNSET
    entities: list[Stretch] | msgspec.UnsetType = _UNSET
    confidence: float
    abstained: bool
    reason: str | None


_decoder = msgspec.json.Decoder(Outcome)
_encode = msgspec.json.Encoder().encode


def outcome_of(answer: bytes | Answer) -> Outcome:
    """What is kept of an answer, in whichever form it came."""
    if isinstance(answer, bytes):
        return _decoder.decode(answer)
    return msgspec.convert(answer.to_json(), Outcome)


def lines_of(
    about: About, texts: Sequence[Kept], found: Sequence[bytes | Answer | Outcome]
) -> bytes:
    """The lines of one request, in order of its inputs, each with its line feed."""
    time = about.time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    made = []
    for kept, answer in zip(texts, found, strict=True):
        outcome = answer if isinstance(answer, Outcome) else outcome_of(answer)
        line = Line(
            time=time,
            request_id=about.request_id,
            model=about.model,
            version=about.version,
            token=about.token,
            masked=about.masked,
            confidence=outcome.confidence,
            abstained=outcome.abstained,
            reason=outcome.reason,
            **(_labelled(kept, outcome) if outcome.text is _UNSET else _written(kept, outcome)),
        )
        made.append(_encode(line))
    return b"\n".join((*made, b""))


def _labelled(kept: Kept, outcome: Outcome) -> dict[str, Any]:
    """Texts and their labels."""
    return {
        "text": kept.parts[0].text,
        "second": kept.parts[1].text if len(kept.parts) > 1 else _UNSET,
        "label": outcome.label,
        "labels": outcome.labels,
        "entities": _moved(outcome.entities, kept.parts[0]),
    }


def _written(kept: Kept, outcome: Outcome) -> dict[str, Any]:
    """A prompt and the text that answers it."""
    assert isinstance(outcome.text, str)
    if not kept.roles:
        return {"prompt": kept.parts[0].text, "response": outcome.text}
    turns = [Message(role, part.text) for role, part in zip(kept.roles, kept.parts, strict=True)]
    return {"messages": [*turns, Message("assistant", outcome.text)]}


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
