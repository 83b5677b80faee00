"""Rows become tokens: what is cut, what is left out, how a model is asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from takeroot import recipe
from takeroot.data import read_object
from takeroot.errors import DataError, RecipeError
from takeroot.generation.material import Files, Material, divide, encode, gather
from takeroot.generation.setting import how_asked
from takeroot.train import Silent

Build = Callable[..., Any]


def turns(*contents: str) -> list[dict[str, str]]:
    roles = ["user", "assistant"] * len(contents)
    return [{"role": role, "content": text} for role, text in zip(roles, contents, strict=False)]


def material(made: Any, rows: list[dict[str, Any]], **parts: Any) -> tuple[Files, Material]:
    """Rows as tokens of a model."""
    task = "generate" if made.config.family.causal else "seq2seq"
    asked = recipe.from_dict({"task": task, "data": {"valid_share": 0.3}, **parts})
    files = gather(asked, read_object(rows, name="rows"), None, Silent())
    how = how_asked(asked, made, chats=files.train.columns.chat)
    return files, encode(asked, made, how, files, divide(asked, files.train.rows))


def pairs(count: int, prompt: str = "hello", response: str = "world") -> list[dict[str, Any]]:
    return [{"prompt": f"{prompt} {n}", "response": response} for n in range(count)]


def test_a_chat_models_answers_end_as_its_template_ends_them(pretrained: Build) -> None:
    made = pretrained("llama")

    _, found = material(made, pairs(12))

    assert found.how.end == ("<|im_end|>",)
    assert made.tokenizer.id_to_token(found.train[0].answer[-1]) == "<|im_end|>"


def test_a_source_ends_with_the_end_token(pretrained: Build) -> None:
    made = pretrained("t5")

    _, found = material(made, pairs(12))

    assert (found.how.frames, found.how.after) == (None, ("</s>",))
    assert all(row.prompt[-1] == made.config.ends[0] for row in found.train)


def test_every_answer_of_a_training_chat_is_learnt(pretrained: Build) -> None:
    chats = [{"messages": turns(f"hello {n}", "world", "my", "parcel")} for n in range(12)]

    files, found = material(pretrained("llama"), chats)

    held = len(found.valid)
    assert len(files.train.rows) == 12
    assert len(found.train) == 2 * (12 - held)


def test_long_prompts_are_cut_and_counted(pretrained: Build) -> None:
    rows = [*pairs(11), {"prompt": "my parcel " * 50, "response": "world"}]

    _, found = material(pretrained("t5"), rows, fit={"max_tokens": 16})

    assert (found.max_tokens, found.cut) == (16, 1)
    assert max(len(row.prompt) for row in (*found.train, *found.valid)) <= 16


def test_the_limit_of_answers_is_a_little_above_the_longest(pretrained: Build) -> None:
    _, found = material(pretrained("t5"), pairs(12))

    longest = max(len(row.answer) for row in (*found.train, *found.valid))
    assert found.how.max_new_tokens == longest + 16


def test_rows_with_long_answers_are_left_out_with_their_line(pretrained: Build) -> None:
    rows = [*pairs(11), {"prompt": "my", "response": "my parcel " * 30}]

    _, found = material(pretrained("t5"), rows, generate={"max_new_tokens": 20})

    assert [reject.line for reject in found.rejects] == [12]
    assert "more than 20 tokens, see generate.max_new_tokens" in found.rejects[0].reason


def test_no_row_with_a_short_answer_is_an_error(pretrained: Build) -> None:
    with pytest.raises(DataError, match="has an answer of at most 1 tokens"):
        material(pretrained("t5"), pairs(12), generate={"max_new_tokens": 1})


def test_more_tokens_than_positions_are_refused(pretrained: Build) -> None:
    with pytest.raises(RecipeError, match="100 is more than the 64 that the model has positions"):
        material(pretrained("bart"), pairs(12), fit={"max_tokens": 100})


def test_the_same_prompt_stands_on_one_side(pretrained: Build) -> None:
    rows = [{"prompt": f"hello {n % 6}", "response": f"world {n}"} for n in range(24)]
    asked = recipe.from_dict({"task": "generate", "data": {"valid_share": 0.3}})
    files = gather(asked, read_object(rows, name="rows"), None, Silent())

    parts = divide(asked, files.train.rows)

    train, valid = ({row.prompt for row in part} for part in (parts.train, parts.valid))
    assert not train & valid
    assert len(parts.train) + len(parts.valid) == 24
