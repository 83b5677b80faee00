"""Names from a list."""

from __future__ import annotations

import pytest

from takeroot.errors import DataError
from takeroot.privacy import Masker, read_names
from takeroot.privacy.names import Names

NAMES = ["Ann Lee", "Ann", "王小明", "Zoë O'Brien", "김철수", "राम", "Jean-Luc Picard", "ไพศาล"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ask Ann Lee now", ["Ann Lee"]),
        ("ANN  LEE\nann\nLee", ["ANN  LEE", "ann\nLee"]),
        ("Annual Anne Joann Ann2", []),
        ("我找王小明先生", ["王小明"]),
        ("王 小明", ["王 小明"]),
        ("Zoë O'Brien and Zoë O’Brien", ["Zoë O'Brien", "Zoë O’Brien"]),
        ("김철수는", ["김철수"]),
        ("यह राम है रामायण", ["राम"]),
        ("Jean Luc Picard", ["Jean Luc Picard"]),
        ("คุณไพศาลครับ", ["ไพศาล"]),
        ("Ann, Lee", ["Ann"]),
    ],
)
def test_names_are_found_where_they_are_words(text, expected):
    spans = Names(NAMES).spans(text)

    assert [text[start:end] for start, end in spans] == expected


def test_a_list_without_names_finds_nothing():
    assert list(Names([]).spans("Ann Lee")) == []


def test_decomposed_and_full_width_letters_are_the_same_name():
    masker = Masker(names=["José"], kinds=["name"])

    assert masker.mask("Jose\u0301 and ＪＯＳÉ").text == "[NAME] and [NAME]"


def test_a_long_list_finds_each_name():
    names = [f"name{number} of list" for number in range(50_000)]

    found = list(Names(names).spans("name0 of list, name49999 of list, name50000 of list"))

    assert len(found) == 2


def test_names_are_read_one_a_line(tmp_path):
    path = tmp_path / "names.txt"
    path.write_text("\ufeffAnn Lee\n\n# staff\n 王小明 \n", encoding="utf-8")

    assert read_names(path) == ("Ann Lee", "王小明")


def test_a_file_that_cannot_be_read_is_said(tmp_path):
    with pytest.raises(DataError, match="nowhere"):
        read_names(tmp_path / "nowhere.txt")
