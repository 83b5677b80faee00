"""Published layouts, on a few made-up rows of each."""

from __future__ import annotations

import json

import pytest

from takeroot.data import read
from takeroot.data.convert import CONVERTERS
from takeroot.errors import DataError, TakerootError


def rows(path):
    return [tuple(row.values.values()) for row in read(path).rows]


def test_clinc_lists_become_files_by_split(file, tmp_path):
    content = {
        "train": [["turn on, please", "lights"], ['say "hi"', "greet"]],
        "val": [],
        "oos_test": [["who won", "oos"]],
    }

    written = CONVERTERS["clinc"]([file("d.json", json.dumps(content))], tmp_path / "out")

    assert written == {"train.csv": 2, "valid.csv": 0, "out_of_scope_test.csv": 1}
    assert rows(tmp_path / "out" / "train.csv") == [
        ("turn on, please", "lights"),
        ('say "hi"', "greet"),
    ]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("[]", "needs an object with the lists train"),
        ('{"train": {}}', "train is not a list"),
        ('{"train": [["a", "b"], ["a"]]}', r"train\[1\] is not \[text, intent\]"),
        ('{"train": [', "is not JSON"),
        ("[" * 100_000, "is not JSON"),
    ],
)
def test_another_layout_is_refused_before_anything_is_written(file, tmp_path, content, reason):
    with pytest.raises(DataError, match=reason):
        CONVERTERS["clinc"]([file("d.json", content)], tmp_path / "out")

    assert not (tmp_path / "out").exists()


def test_goemotions_numbers_become_names(file, tmp_path):
    file("labels.txt", "joy\nfear\n")
    path = file("train.tsv", '"Nice"\t0\tx1\nnice, but\t0,1\tx2\n')

    written = CONVERTERS["goemotions"]([path], tmp_path / "out")

    assert written == {"train.csv": 2}
    assert rows(tmp_path / "out" / "train.csv") == [('"Nice"', "joy"), ("nice, but", "joy|fear")]


@pytest.mark.parametrize("cell", ["2", "-1", "joy", ""])
def test_a_number_without_name_is_an_error_with_its_line(file, tmp_path, cell):
    file("labels.txt", "joy\nfear\n")

    with pytest.raises(DataError, match=r"train\.tsv:2: label numbers .* are not all in 0 to 1"):
        CONVERTERS["goemotions"]([file("train.tsv", f"a\t0\tx\nb\t{cell}\ty\n")], tmp_path / "out")


def test_sentfin_entities_with_apostrophes_become_pairs(file, tmp_path):
    decisions = "{'Osian's Art Fund': 'negative', \"M&M\": 'positive'}"
    path = file(
        "s.csv",
        f'S No.,Title,Decisions\n1,Fund falls,"{decisions.replace(chr(34), chr(34) * 2)}"\n',
    )

    CONVERTERS["sentfin"]([path], tmp_path / "out")

    assert rows(tmp_path / "out" / "pairs.csv") == [
        ("Fund falls", "Osian's Art Fund", "negative"),
        ("Fund falls", "M&M", "positive"),
    ]


def test_weibo_characters_lose_their_digit(file, tmp_path):
    path = file("w.dev", "北0\tB-LOC.NAM\n京1\tI-LOC.NAM\n50\tO\n\n好0\tO\n")

    assert CONVERTERS["weibo"]([path], tmp_path / "out") == {"w_dev.jsonl": 2}
    assert rows(tmp_path / "out" / "w_dev.jsonl") == [
        ("北京5", [{"start": 0, "end": 2, "label": "LOC.NAM"}]),
        ("好", []),
    ]


@pytest.mark.parametrize("layout", CONVERTERS)
def test_no_file_is_an_error(layout, tmp_path):
    with pytest.raises(DataError, match=layout):
        CONVERTERS[layout]([], tmp_path / "out")


def test_a_folder_that_cannot_be_made_is_an_error(file):
    path = file("d.json", '{"train": []}')

    with pytest.raises(TakerootError, match="cannot be made"):
        CONVERTERS["clinc"]([path], path / "below")
