"""Prompts and responses, sources and targets, chats: every row is kept or rejected."""

from __future__ import annotations

from typing import Any

import pytest

from takeroot.bundle.chat import Turn
from takeroot.data import Table, read_object
from takeroot.data.exchanges import Exchange, answers_of, exchange_columns, exchanges
from takeroot.errors import DataError
from takeroot.recipe import Fill


def turn(role: str, content: str = "x") -> dict[str, str]:
    return {"role": role, "content": content}


def table(*rows: dict[str, Any]) -> Table:
    return read_object(list(rows), name="rows")


@pytest.mark.parametrize(
    "names",
    [("prompt", "response"), ("source", "target"), ("Question", "Answer"), ("摘要", "标题")],
)
def test_columns_are_known_by_their_names(names: tuple[str, str]) -> None:
    found = exchange_columns(table({names[0]: "a", names[1]: "b", "other": "c"}), "seq2seq")

    assert (found.text, found.label, found.chat) == (*names, False)
    assert "by their names" in found.notes[0]


def test_given_columns_are_taken() -> None:
    found = exchange_columns(table({"a": "1", "b": "2", "c": "3"}), "generate", text="b", label="a")

    assert (found.text, found.label) == ("b", "a")


def test_the_only_other_column_is_the_answer() -> None:
    found = exchange_columns(table({"abstract": "1", "b": "2"}), "generate", text="abstract")

    assert found.label == "b"


def test_columns_that_are_not_clear_must_be_named() -> None:
    with pytest.raises(DataError, match="name the column that is asked with text"):
        exchange_columns(table({"a": "1", "b": "2", "c": "3"}), "generate")


def test_a_column_that_is_not_there_is_an_error() -> None:
    with pytest.raises(DataError, match="no column 'x'; columns are: 'a', 'b'"):
        exchange_columns(table({"a": "1", "b": "2"}), "generate", text="x")


def test_the_last_turn_of_a_chat_is_the_response() -> None:
    rows = table({"messages": [turn("system"), turn("user", "hi"), turn("assistant", "yes")]})

    made = exchanges(rows, exchange_columns(rows, "generate"))

    asked = (Turn("system", "x"), Turn("user", "hi"))
    assert made.columns.chat
    assert made.rows == (Exchange(asked, "yes", "rows:1"),)


def test_a_chat_that_ends_with_a_question_can_be_asked() -> None:
    rows = table({"messages": [turn("user", "hi")]})
    columns = exchange_columns(rows, "generate", labelled=False)

    made = exchanges(rows, columns, labelled=False)

    assert (made.rows[0].prompt, made.rows[0].response) == ((Turn("user", "hi"),), None)


REJECTED = {
    "the last turn is not of role 'assistant'": [turn("user")],
    "turns must alternate": [turn("user"), turn("user"), turn("assistant")],
    "turns must alternate between user": [turn("assistant"), turn("assistant")],
    "a turn is empty": [turn("user", " "), turn("assistant")],
    "role is one of system, user, assistant": [turn("tool"), turn("assistant")],
    "a chat is a list of turns": [],
    "is missing a value": None,
}


@pytest.mark.parametrize("reason", REJECTED)
def test_chats_that_cannot_be_learnt_are_rejected(reason: str) -> None:
    good = [turn("user"), turn("assistant")]
    rows = table({"messages": good}, {"messages": REJECTED[reason]})

    made = exchanges(rows, exchange_columns(rows, "generate"))

    assert made.rows_in == len(made.rows) + len(made.rejects) == 2
    assert made.rejects[0].line == 2
    assert reason in made.rejects[0].reason


def test_rows_without_prompt_or_response_are_rejected_or_filled() -> None:
    rows = table({"prompt": "a", "response": "b"}, {"prompt": "", "response": "c"}, {"prompt": "d"})
    columns = exchange_columns(rows, "generate")

    dropped, filled = exchanges(rows, columns), exchanges(rows, columns, missing=Fill(fill="-"))

    assert [reject.line for reject in dropped.rejects] == [2, 3]
    assert [row.prompt for row in filled.rows] == ["a", "-"]


def test_long_rows_are_rejected() -> None:
    rows = table({"prompt": "a", "response": "b"}, {"prompt": "a", "response": "b" * 11})

    made = exchanges(rows, exchange_columns(rows, "generate"), max_chars=10)

    assert "longer than max_chars 10" in made.rejects[0].reason


def test_every_answer_of_a_chat_is_learnt() -> None:
    chat = [turn("user", "1"), turn("assistant", "2"), turn("user", "3"), turn("assistant", "4")]
    rows = table({"messages": chat})

    found = answers_of(exchanges(rows, exchange_columns(rows, "generate")).rows[0])

    assert [(len(each.prompt), each.response) for each in found] == [(1, "2"), (3, "4")]


def test_seq2seq_has_no_chats() -> None:
    rows = table({"messages": [turn("user"), turn("assistant")], "id": "1"})

    with pytest.raises(DataError, match="name the column that is asked"):
        exchange_columns(rows, "seq2seq")
