"""Chat templates become fixed texts, or are refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import writers
from folders import TEMPLATE
from transformers import PreTrainedTokenizerFast

from takeroot.bundle.chat import Turn, pieces
from takeroot.bundle.spec import ChatFrames
from takeroot.errors import ModelError
from takeroot.generation.frames import frames_of

Build = Callable[..., Any]
NUMBERED = (
    "{% for message in messages %}[{{ loop.index }}]{{ message['content'] }}{% endfor %}"
    "{% if add_generation_prompt %}>{% endif %}"
)
NO_SYSTEM = (
    "{% for message in messages %}{% if message['role'] == 'system' %}"
    "{{ raise_exception('no system') }}{% endif %}"
    "{% if message['role'] == 'user' %}Q: {{ message['content'] }}\n"
    "{% else %}A: {{ message['content'] }}<|im_end|>\n{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}A:{% endif %}"
)


def test_frames_are_what_the_template_puts_around_turns(pretrained: Build) -> None:
    assert frames_of(pretrained()) == ChatFrames.model_validate(writers.FRAMES)


def test_frames_compose_to_what_transformers_renders(pretrained: Build) -> None:
    turns = [Turn("system", "Be brief."), Turn("user", "你好"), Turn("assistant", "hello")]
    turns.append(Turn("user", "where?"))
    reader = PreTrainedTokenizerFast(tokenizer_object=writers.byte_tokenizer())
    chat = [{"role": turn.role, "content": turn.content} for turn in turns]
    wanted = reader.apply_chat_template(
        chat, chat_template=TEMPLATE, tokenize=False, add_generation_prompt=True
    )

    found = pieces(frames_of(pretrained()), turns)

    assert "".join(piece.text for piece in found) == wanted


def test_a_model_without_template_has_no_frames(pretrained: Build) -> None:
    assert frames_of(pretrained(template=None)) is None


def test_a_template_without_system_turns_gives_frames_without(pretrained: Build) -> None:
    frames = frames_of(pretrained(template=NO_SYSTEM))

    assert frames is not None
    assert (frames.system, frames.user, frames.answer) == (None, ("Q: ", "\n"), "A:")


def test_a_template_that_counts_turns_is_refused(pretrained: Build) -> None:
    with pytest.raises(ModelError, match="puts no fixed texts around turns"):
        frames_of(pretrained(template=NUMBERED))


def test_a_template_that_fails_is_refused(pretrained: Build) -> None:
    with pytest.raises(ModelError, match="it ends in an error, 'not today'"):
        frames_of(pretrained(template="{{ raise_exception('not today') }}"))
