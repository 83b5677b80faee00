"""Objects in memory as tables."""

from __future__ import annotations

import pytest

from takeroot.data import read_object
from takeroot.errors import DataError

ROWS = [{"text": "a", "label": "x"}, {"text": "b", "label": None}]


def frame(kind):
    module = pytest.importorskip({"arrow": "pyarrow"}.get(kind, kind))
    if kind == "arrow":
        return module.Table.from_pylist(ROWS)
    return module.DataFrame(ROWS)


@pytest.mark.parametrize("kind", ["pandas", "polars", "arrow"])
def test_every_kind_of_data_frame_gives_the_same_table(kind):
    table = read_object(frame(kind))

    assert [row.values for row in table.rows] == ROWS
    assert table.sha256 == read_object(ROWS).sha256


def test_rows_of_an_object_count_from_one():
    assert [row.line for row in read_object(iter(ROWS)).rows] == [1, 2]


def test_pandas_missing_values_of_every_kind_are_none():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(
        {"a": [1.5, None], "b": pandas.array([1, None], "Int64"), "c": [pandas.Timestamp(0), None]}
    )

    assert [row.values for row in read_object(frame).rows] == [
        {"a": 1.5, "b": 1, "c": "1970-01-01T00:00:00"},
        {"a": None, "b": None, "c": None},
    ]


def test_lists_and_numpy_arrays_in_cells_become_lists():
    pandas, numpy = pytest.importorskip("pandas"), pytest.importorskip("numpy")
    frame = pandas.DataFrame({"labels": [["a", "b"], numpy.array(["c"])]})

    assert [row.values["labels"] for row in read_object(frame).rows] == [["a", "b"], ["c"]]


def test_two_pandas_columns_of_one_name_are_an_error():
    pandas = pytest.importorskip("pandas")

    with pytest.raises(DataError, match="column names must differ"):
        read_object(pandas.DataFrame([[1, 2]], columns=["a", "a"]))


@pytest.mark.parametrize("value", [3, "train.csv", b"x", {"text": "a"}, None])
def test_what_is_no_table_is_refused_by_its_type(value):
    with pytest.raises(DataError, match=rf"a {type(value).__name__} is not a path, a pandas"):
        read_object(value)


def test_a_row_that_is_no_mapping_is_rejected():
    table = read_object([{"text": "a"}, "b"])

    assert [(r.line, r.reason) for r in table.rejects] == [(2, "is not a JSON object but a str")]
