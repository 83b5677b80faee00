"""From a model's chat template to the fixed texts around its turns.

A template is a program (Jinja). It is run here, while training, in transformers' sandbox; what it
puts around turns is found by letting it render turns that are marks, and a bundle keeps these texts
only. Templates that put something else around a turn depending on what stands in it, or on its
number, cannot be kept so. That the texts compose to what the template renders is checked on chats
of several lengths, with and without a system turn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from takeroot.bundle.chat import Turn, pieces
from takeroot.bundle.spec import ChatFrames
from takeroot.errors import ModelError
from takeroot.models.generator import PretrainedGenerator

MARKS = tuple(f"<<takeroot {number}>>" for number in range(8))
Render = Callable[[Sequence[Turn], bool], str]


class _NotFixedError(Exception):
    """The template puts no fixed texts around turns; the message is what differs."""


def frames_of(pretrained: PretrainedGenerator) -> ChatFrames | None:
    """The texts around the turns of a model's chats; None for a model without chat template.

    Raises:
        ModelError: If its template cannot be run, or is not made of fixed texts.
    """
    if pretrained.template is None:
        return None
    render = _renderer(pretrained.template, pretrained.special)
    try:
        frames = _derive(render)
        _verify(frames, render)
    except _NotFixedError as error:
        raise ModelError(
            f"model: the chat template of {pretrained.name!r} puts no fixed texts around turns: "
            f"{error}; give data without chats to a model without a template"
        ) from error
    return frames


def _renderer(template: str, special: dict[str, str]) -> Render:
    """What renders turns by a template, with or without asking for an answer."""
    from transformers.utils.chat_template_utils import render_jinja_template

    more: dict[str, Any] = dict(special)

    def render(turns: Sequence[Turn], ask: bool) -> str:
        chat = [{"role": turn.role, "content": turn.content} for turn in turns]
        try:
            found: Any = render_jinja_template(
                [chat], chat_template=template, add_generation_prompt=ask, **more
            )
        except Exception as error:  # a template raises what it likes
            raise _NotFixedError(f"it ends in an error, {str(error)[:200]!r}") from error
        rendered = found[0] if isinstance(found, tuple) else found
        return str(rendered[0])

    return render


def _derive(render: Render) -> ChatFrames:
    """The texts that a template puts around marks.

    What stands between two marks belongs to two turns; it is divided by what stands after the
    last mark where no answer is asked for.
    """
    first, second, third = MARKS[:3]
    user, assistant = Turn("user", first), Turn("assistant", second)
    one = _between(render([user], False), first)
    two = _between(render([user, assistant], False), first, second)
    three = _between(render([user, assistant, Turn("user", third)], True), first, second, third)
    user_after, assistant_after = one[1], two[2]
    assistant_before = _without_start(two[1], user_after)
    user_before = _without_start(three[2], assistant_after)
    frames = ChatFrames(
        start=_without_end(one[0], user_before),
        user=(user_before, user_after),
        assistant=(assistant_before, assistant_after),
        answer=_without_start(three[3], user_after),
    )
    system = _system(render, user_before)
    return frames.model_copy(update={"system": system})


def _system(render: Render, user_before: str) -> tuple[str, str] | None:
    """What stands around a system turn; None where the template has none."""
    turns = [Turn("system", MARKS[0]), Turn("user", MARKS[1])]
    try:
        before, between, _ = _between(render(turns, False), *MARKS[:2])
        return before, _without_end(between, user_before)
    except _NotFixedError:
        return None


def _verify(frames: ChatFrames, render: Render) -> None:
    """Compare what the texts compose to with what the template renders."""
    talk = [Turn("user" if k % 2 == 0 else "assistant", f"Turn {k}?") for k in range(5)]
    chats = [talk[:1], talk[:3], talk]
    if frames.system is not None:
        chats += [[Turn("system", "Be brief."), *chat] for chat in chats]
    for chat in chats:
        composed = "".join(piece.text for piece in pieces(frames, chat))
        if composed != render(chat, True):
            raise _NotFixedError(f"a chat of {len(chat)} turns is rendered otherwise")


def _between(text: str, *marks: str) -> list[str]:
    """The text before, between and after marks, each of which must stand there once, in order."""
    parts = []
    for mark in marks:
        if text.count(mark) != 1:
            raise _NotFixedError("a turn's text is left out, repeated or changed")
        before, _, text = text.partition(mark)
        parts.append(before)
    return [*parts, text]


def _without_start(text: str, start: str) -> str:
    if not text.startswith(start):
        raise _NotFixedError(f"after a turn stands {start!r} or {text!r}")
    return text[len(start) :]


def _without_end(text: str, end: str) -> str:
    if not text.endswith(end):
        raise _NotFixedError(f"before a turn stands {end!r} or {text!r}")
    return text[: len(text) - len(end)]
