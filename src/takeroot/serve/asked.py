"""Whether a request asks a model what it can answer, and no more than it may."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from takeroot.bundle.chat import Chat, Turn, pieces
from takeroot.bundle.spec import Spec
from takeroot.errors import DataError
from takeroot.serve.faults import ServeError
from takeroot.serve.settings import Settings
from takeroot.serve.wire import Input, Prompt


def check_inputs(spec: Spec, inputs: Sequence[Input | Prompt], settings: Settings) -> None:
    """Refuse what is not what the model reads, or too much of it.

    Raises:
        ServeError: invalid_request, too_many_inputs, text_too_long.
    """
    if not inputs:
        raise ServeError("invalid_request", reason="there is no input")
    if len(inputs) > settings.max_inputs:
        raise ServeError("too_many_inputs", limit=settings.max_inputs)
    for item in inputs:
        _check_kind(spec, item)
        if isinstance(item, str):
            longest = len(item)
        else:
            longest = max(len(each if isinstance(each, str) else each.content) for each in item)
        if longest > settings.max_chars:
            raise ServeError("text_too_long", limit=settings.max_chars)


def limit_of(spec: Spec, asked: int | None, settings: Settings) -> int:
    """Most tokens of an answer that is a text; 0 for a model of labels.

    Raises:
        ServeError: invalid_request, too_many_new_tokens.
    """
    if spec.generation is None:
        if asked is not None:
            reason = "max_new_tokens is for models that write texts"
            raise ServeError("invalid_request", reason=reason)
        return 0
    if asked is None:
        return min(spec.generation.max_new_tokens, settings.max_new_tokens)
    if asked < 1:
        raise ServeError("invalid_request", reason="max_new_tokens is 1 or more")
    if asked > settings.max_new_tokens:
        raise ServeError("too_many_new_tokens", limit=settings.max_new_tokens)
    return asked


def _check_kind(spec: Spec, item: Input | Prompt) -> None:
    """Refuse an input of another kind than the model reads."""
    kind = "text" if isinstance(item, str) else "chat" if isinstance(item[0], Turn) else "pair"
    allowed = {"pair": ("pair",), "generate": ("text", "chat")}.get(spec.task, ("text",))
    if kind not in allowed:
        wanted = {"pair": "pairs of texts", "generate": "texts or chats"}.get(spec.task, "texts")
        raise ServeError("invalid_request", reason=f"this model's inputs are {wanted}")
    if kind == "chat" and spec.generation is not None:
        try:
            pieces(spec.generation.frames, cast(Chat, item))
        except DataError as error:  # in words of ours: it quotes nothing of the chat
            raise ServeError("invalid_request", reason=str(error)) from None
