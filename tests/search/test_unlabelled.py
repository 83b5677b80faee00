from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from takeroot.data import Dataset, Example, build, infer, read_object
from takeroot.errors import DataError
from takeroot.search.unlabelled import usable

Build = Callable[..., Any]


def dataset(rows: list[Example], name: str = "test") -> Dataset:
    table = read_object([{"text": row.text, "label": row.label} for row in rows], name=name)
    return build(table, infer(table))


def texts(recipe_of: Build, log: Any, rows: list[str], test: Dataset | None) -> list[str]:
    """What is left of some texts beside the labelled row "my lost card"."""
    table = read_object([{"text": row} for row in rows], name="more")
    known = [Example("my lost card", "card")]
    columns = dataset([Example("a text", "a"), Example("another", "b")]).columns
    return [row.text for row in usable(recipe_of(), table, columns, known, test, log)]


def test_repeated_and_labelled_texts_are_left_out(recipe_of: Build, log: Any) -> None:
    told = log()

    kept = texts(recipe_of, told, ["one", " ONE ", "My LOST card", "two"], None)

    assert kept == ["one", "two"]
    assert told.notes == [
        "more: 2 texts without labels are used; left out are 2 repeated ones and 0 like a test row"
    ]


def test_a_few_test_rows_are_left_out(recipe_of: Build, log: Any, shop_examples: Build) -> None:
    test = dataset(shop_examples(40))
    new = ["something new altogether", "and another text"]

    kept = texts(recipe_of, log(), [*new, test.examples[3].text.upper()], test)

    assert kept == new


def test_a_file_that_holds_the_test_rows_is_refused_with_counts(recipe_of: Build, log: Any) -> None:
    words = "how do i get my lost card back from the bank in the city of number"
    rows = [Example(f"{words} {'abcdefghij'[k] * 12}", "ab"[k % 2]) for k in range(10)]
    exact = [row.text.upper() for row in rows[:4]]
    near = [row.text.replace("lost", "last") for row in rows[4:7]]

    with pytest.raises(DataError, match=r"4 of the 10 rows of test word for word and 3 nearly"):
        texts(recipe_of, log(), [*exact, *near, "new"], dataset(rows))


def test_nothing_left_is_an_error(recipe_of: Build, log: Any) -> None:
    with pytest.raises(DataError, match="more: every text of it stands in the labelled rows"):
        texts(recipe_of, log(), ["my lost card"], None)
