"""Tag schemes, separators and rejects of conll files."""

from __future__ import annotations

import pytest

from takeroot.data import read


def entities(path):
    return [
        [(row.values["text"][e["start"] : e["end"]], e["label"]) for e in row.values["entities"]]
        for row in read(path).rows
    ]


@pytest.mark.parametrize(
    "tags",
    [
        ["B-LOC", "I-LOC", "O", "B-PER"],
        ["I-LOC", "I-LOC", "O", "I-PER"],
        ["B-LOC", "E-LOC", "O", "S-PER"],
        ["B-LOC", "L-LOC", "O", "U-PER"],
    ],
)
def test_every_tag_scheme_gives_the_same_spans(file, tags):
    tokens = ["New", "York", "with", "Ann"]
    path = file("a.conll", "".join(f"{a}\t{b}\n" for a, b in zip(tokens, tags, strict=True)))

    assert entities(path) == [[("New York", "LOC"), ("Ann", "PER")]]


def test_entities_side_by_side_stay_apart(file):
    path = file("a.conll", "A B-X\nB B-X\nC I-Y\nD E-Y\nE I-Y\n")

    assert entities(path) == [[("A", "X"), ("B", "X"), ("C D", "Y"), ("E", "Y")]]


def test_lines_of_blanks_and_tabs_separate_sentences(file):
    path = file("a.conll", "-DOCSTART- -X- O\n\na\tO\n\t\nb\tO\n \t \n\n# id = 3\nc\tO")

    table = read(path)

    assert [(row.line, row.values["text"]) for row in table.rows] == [(3, "a"), (5, "b"), (9, "c")]


def test_the_first_column_is_the_token_and_the_last_the_tag(file):
    assert entities(file("a.conll", "Rome NNP I-NP B-LOC\nis VBZ I-VP O\n")) == [[("Rome", "LOC")]]


def test_a_hash_token_is_no_comment(file):
    assert entities(file("a.conll", "#rome\tB-LOC\n# \tO\n")) == [[("#rome", "LOC")]]


def test_chinese_tokens_are_joined_without_blanks(file):
    path = file("a.conll", "我 O\n在 O\n北 B-LOC\n京 I-LOC\n， O\nMay O\n5 O\n")

    assert read(path).rows[0].values["text"] == "我在北京， May 5"
    assert entities(path) == [[("北京", "LOC")]]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("token", "line 2: needs a token and a tag, found 'token'"),
        ("x\tB-a,B-b", "line 2: tag 'B-a,B-b' is not O or B-, I-, E-, S-NAME"),
        ("x\tLOC", "line 2: tag 'LOC' is not"),
        ("\tO", "line 2: needs a token"),
        ("a\0b\tO", "line 2: NUL character"),
    ],
)
def test_a_bad_line_rejects_its_sentence_and_no_other(file, line, reason):
    table = read(file("a.conll", f"a\tO\n{line}\nb\tO\n\nc\tO\n"))

    assert [row.values["text"] for row in table.rows] == ["c"]
    assert table.rejects[0].line == 1
    assert table.rejects[0].reason.startswith(reason)


def test_a_file_without_blank_lines_is_one_reject_not_a_memory_problem(file):
    table = read(file("a.conll", "token\tO\n" * 20_000))

    assert [reject.reason for reject in table.rejects] == [
        "sentence is longer than 65,536 characters"
    ]
