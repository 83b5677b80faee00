"""From rows to examples, and what becomes of rows that are none."""

from __future__ import annotations

import csv

import pytest

from takeroot.data import (
    Span,
    build,
    infer,
    label_names,
    names_of,
    read,
    read_object,
    write_rejects,
)
from takeroot.errors import DataError
from takeroot.recipe import Fill


def dataset(rows, missing="drop", max_chars=None, **columns):
    table = read_object(rows, name="a.csv")
    columns = {"text": "text", "label": "label", **columns}
    return build(table, infer(table, **columns), missing=missing, max_chars=max_chars)


def reasons(made):
    return [(reject.line, reject.reason) for reject in made.rejects]


def test_examples_keep_the_text_and_say_where_they_come_from():
    made = dataset([{"text": " a\nb ", "label": " x "}])

    example = made.examples[0]
    assert (example.text, example.label, example.source) == (" a\nb ", "x", "a.csv:1")


def test_rows_are_accounted_for_over_both_steps(file):
    table = read(file("a.csv", "text,label\na,x\n,x\nb\nc,\nd,y\n"))

    made = build(table, infer(table))

    assert [e.text for e in made.examples] == ["a", "d"]
    assert made.rows_in == len(made.examples) + len(made.rejects) == 5
    assert reasons(made) == [
        (3, "column 'text' is missing a value"),
        (4, "has 1 of the header's 2 columns"),
        (5, "column 'label' is missing a value"),
    ]


def test_missing_texts_are_filled_on_request_and_labels_never():
    rows = [{"text": None, "label": "x"}, {"text": "a", "label": " "}]

    made = dataset(rows, missing=Fill(fill="(empty)"))

    assert [e.text for e in made.examples] == ["(empty)"]
    assert reasons(made) == [(2, "column 'label' is missing a value")]


def test_a_text_above_max_chars_is_rejected():
    made = dataset([{"text": "abcd", "label": "x"}, {"text": "abc", "label": "x"}], max_chars=3)

    assert reasons(made) == [(1, "text of 4 characters is longer than max_chars 3")]


@pytest.mark.parametrize(
    ("value", "label"), [(1, "1"), (1.0, "1"), (0.5, "0.5"), (True, "True"), ("None", "None")]
)
def test_labels_that_are_no_texts_become_texts(value, label):
    assert dataset([{"text": "a", "label": value}], task="classify").examples[0].label == label


def test_a_text_that_is_a_list_is_rejected_with_its_column():
    made = dataset([{"text": ["a"], "label": "x"}, {"text": "b", "label": "x"}])

    assert reasons(made) == [(1, "column 'text' is a list, not a text")]


@pytest.mark.parametrize("cell", ["b|a|b", ["b", "a"], '["a", "b"]', " a | b "])
def test_several_labels_are_sorted_and_each_once(cell):
    rows = [{"text": "t", "label": cell}, {"text": "t", "label": "a|b"}]

    assert dataset(rows, task="multilabel").examples[0].label == ("a", "b")


def test_an_empty_list_is_a_row_without_labels_and_an_empty_cell_is_missing():
    rows = [{"text": "t", "label": []}, {"text": "t", "label": None}, {"text": "t", "label": ["a"]}]

    made = dataset(rows)

    assert [e.label for e in made.examples] == [(), ("a",)]


def test_spans_are_sorted_and_may_be_json_text():
    cell = '[{"start": 3, "end": 4, "label": "Y"}, {"start": 0, "end": 2, "label": "X"}]'

    made = dataset([{"text": "ab c", "label": cell}])

    assert made.examples[0].label == (Span(0, 2, "X"), Span(3, 4, "Y"))


@pytest.mark.parametrize(
    ("spans", "reason"),
    [
        ([[0, 2, "X"], [1, 3, "Y"]], "entities overlap: 0-2 and 1-3"),
        ([[0, 9, "X"]], "entity 0-9 is not inside the text of 4 characters"),
        ([[2, 2, "X"]], "entity 2-2 is not inside"),
        ([[0, 1, " "]], "is not start, end and label"),
        ([{"start": True, "end": 2, "label": "X"}], "is not start, end and label"),
        ("nonsense", "is not a list of entities"),
    ],
)
def test_impossible_spans_reject_their_row(spans, reason):
    good = [{"start": 0, "end": 1, "label": "X"}]
    made = dataset([{"text": "abcd", "label": good}, {"text": "abcd", "label": spans}])

    assert len(made.examples) == 1
    assert reason in made.rejects[0].reason


def test_pairs_have_two_texts():
    made = dataset([{"text": "a", "b": "c", "label": "x"}], second="b")

    assert made.examples[0].input == ("a", "c")


def test_the_hash_covers_texts_and_labels_but_not_other_columns():
    base = dataset([{"text": "a", "label": "x", "id": 1}])

    assert dataset([{"text": "a", "label": "x", "id": 2}]).sha256 == base.sha256
    assert dataset([{"text": "a", "label": "y", "id": 1}]).sha256 != base.sha256


def test_no_usable_row_is_an_error_with_the_first_reason():
    with pytest.raises(DataError, match=r"none of its 1 rows can be used; line 1: column 'text'"):
        dataset([{"text": "", "label": "x"}])


def test_label_names_are_sorted_over_all_tasks():
    single = dataset([{"text": "a", "label": "y"}, {"text": "b", "label": "x"}])
    spans = dataset([{"text": "ab", "label": [[0, 1, "Z"]]}], task="tag")

    assert label_names(single.examples) == ("x", "y")
    assert names_of(spans.examples[0]) == ("Z",)


def test_rejects_are_written_with_line_and_reason(tmp_path):
    made = dataset([{"text": "", "label": "x"}, {"text": "a", "label": "x"}])

    write_rejects(made, tmp_path / "rejects.csv")

    rows = list(csv.reader((tmp_path / "rejects.csv").read_text().splitlines()))
    assert rows == [["line", "reason", "excerpt"], ["1", "column 'text' is missing a value", ""]]
