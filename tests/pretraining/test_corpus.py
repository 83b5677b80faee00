"""Every row of every file is kept, a duplicate, or rejected with a reason; one side for each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from takeroot.errors import DataError
from takeroot.pretraining.corpus import Corpus, gather
from takeroot.recipe import CorpusRecipe


def write(path: Path, *lines: str) -> str:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


def gathered(tmp_path: Path, *paths: str, **settings: Any) -> Corpus:
    recipe = CorpusRecipe(paths=paths, **{"valid_share": 0.4, **settings})
    return gather(recipe, tmp_path / "documents.txt")


def all_of(corpus: Corpus) -> list[str]:
    return [text for held in (False, True) for batch in corpus.documents(held) for text in batch]


def test_accounts_add_up_and_duplicates_count_once(tmp_path: Path) -> None:
    first = write(tmp_path / "a.txt", "Hello  World", "", "你好", "hello world", "a\0b", "one")
    second = write(tmp_path / "b.txt", "ｈｅｌｌｏ　ｗｏｒｌｄ", "two", "three", "four", "five")

    accounts = gathered(tmp_path, first, second).accounts

    assert [each.to_json() for each in accounts] == [
        {"file": "a.txt", "rows_in": 5, "kept": 3, "duplicates": 1}
        | {"rejected": {"NUL character": 1}},
        {"file": "b.txt", "rows_in": 5, "kept": 4, "duplicates": 1, "rejected": {}},
    ]


def test_documents_are_in_the_form_that_is_served(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", "ｆｕｌｌ\t width\u200b", *"abcdefgh")

    assert "full width" in all_of(gathered(tmp_path, path))


def test_a_document_keeps_its_side_when_files_are_added(tmp_path: Path) -> None:
    first = write(tmp_path / "a.txt", *(f"text {number}" for number in range(50)))
    second = write(tmp_path / "b.txt", *(f"other {number}" for number in range(50)))

    alone = next(iter(gathered(tmp_path, first).documents(held=True)))
    both = next(iter(gathered(tmp_path, second, first).documents(held=True)))

    assert set(alone) == {text for text in both if text.startswith("text")}
    assert 8 <= len(alone) <= 32  # 20 are expected, give or take three and a half deviations


def test_columns_of_a_table_are_joined(tmp_path: Path) -> None:
    rows = [{"title": f"标题{k}", "body": f"正文{k}", "n": k} for k in range(9)]
    path = write(tmp_path / "a.jsonl", *(json.dumps(row) for row in rows), '{"title": 3}', "oops")

    corpus = gathered(tmp_path, path, text=("title", "body"))

    assert sorted(all_of(corpus))[0] == "标题0 正文0"
    assert corpus.accounts[0].to_json()["rows_in"] == 11
    assert sum(corpus.accounts[0].rejected.values()) == 2


def test_columns_are_named_where_they_are_not_clear(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "title,body", "x,y")

    with pytest.raises(DataError, match=r"a\.csv: name the text columns .* title, body"):
        gathered(tmp_path, path)
    with pytest.raises(DataError, match=r"a\.csv: no column 'txt'; there is: title, body"):
        gathered(tmp_path, path, text=("txt",))


@pytest.mark.parametrize("content", ["", "\n \n"])
def test_a_file_without_text_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "a.txt"
    path.write_text(content, encoding="utf-8")

    with pytest.raises(DataError, match=r"a\.txt"):
        gathered(tmp_path, str(path))


def test_a_corpus_is_refused_of_which_nothing_is_held_out(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", "one", "two")

    with pytest.raises(DataError, match=r"none of 2 documents is held out; raise"):
        gathered(tmp_path, path, valid_share=1e-9)


def test_no_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"data\.paths: no file was given"):
        gathered(tmp_path)
