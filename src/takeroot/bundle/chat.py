"""Chats: their turns, read from JSON, and the text pieces a model's frames make of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from takeroot.errors import DataError

if TYPE_CHECKING:
    from takeroot.bundle.spec import ChatFrames

Role = Literal["system", "user", "assistant"]
ROLES: tuple[Role, ...] = get_args(Role)


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of a chat."""

    role: Role
    content: str


Chat = tuple[Turn, ...]


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a prompt.

    Args:
        text: It.
        ours: Whether it is of the frames, where special tokens are meant; else somebody's text.
    """

    text: str
    ours: bool


def read_chat(value: Any) -> Chat:
    """The chat in a JSON list of ``{"role", "content"}`` objects.

    Raises:
        DataError: If it is none.
    """
    if not isinstance(value, list | tuple) or not value:
        raise DataError(f"a chat is a list of turns, got {value!r:.60}")
    turns = []
    for number, each in enumerate(value):
        if not isinstance(each, dict) or set(each) != {"role", "content"}:
            raise DataError(
                f"turn {number}: needs role and content, nothing else; got {each!r:.60}"
            )
        role, content = each["role"], each["content"]
        if role not in ROLES or not isinstance(content, str):
            raise DataError(
                f"turn {number}: role is one of {', '.join(ROLES)} and content a text; "
                f"got {each!r:.60}"
            )
        turns.append(Turn(role, content))
    return tuple(turns)


def is_chat(value: Any) -> bool:
    """Whether a cell holds the turns of a chat, as a list or in JSON."""
    return isinstance(value, list) or (isinstance(value, str) and isinstance(_parsed(value), list))


def asked_turns(value: Any, frames: ChatFrames) -> Chat:
    """The turns of a cell that ask: an answer at their end is left out.

    Raises:
        DataError: If nothing can be answered to them.
    """
    turns = read_chat(_parsed(value))
    turns = turns[:-1] if turns[-1].role == "assistant" else turns
    _check(frames, turns)
    return turns


def _parsed(value: Any) -> Any:
    """The value of JSON text that is a list, or the value as it is."""
    if not isinstance(value, str) or not value.lstrip().startswith("[{"):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def pieces(frames: ChatFrames | None, item: str | Sequence[Turn]) -> list[Piece]:
    """The stretches of the prompt that asks for an answer to ``item``, in order.

    Args:
        frames: The model's; None if prompts stand bare.
        item: A prompt, which is one turn of a user, or the turns of a chat.

    Raises:
        DataError: If the chat cannot be answered, or the model knows no chats.
    """
    if frames is None:
        if isinstance(item, str):
            return [Piece(item, ours=False)]
        raise DataError("a chat was given, but this model has no chat frames: give a prompt")
    turns = (Turn("user", item),) if isinstance(item, str) else item
    _check(frames, turns)
    made = [Piece("" if turns[0].role == "system" else frames.start, ours=True)]
    for turn in turns:
        before, after = getattr(frames, turn.role)
        made += [Piece(before, True), Piece(turn.content, False), Piece(after, True)]
    return [*made, Piece(frames.answer, ours=True)]


def _check(frames: ChatFrames, turns: Sequence[Turn]) -> None:
    """Refuse a chat that nothing can be answered to."""
    if not turns or turns[-1].role != "user":
        raise DataError("a chat ends with a turn of role 'user'")
    for number, turn in enumerate(turns):
        if turn.role != "system":
            continue
        if number:
            raise DataError(f"turn {number}: a turn of role 'system' can only be the first")
        if frames.system is None:
            raise DataError("turn 0: this model's chats have no turn of role 'system'")
