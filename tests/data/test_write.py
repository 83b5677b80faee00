"""What is written is read back, in every format."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from takeroot.data import read
from takeroot.data.write import WRITERS, write_csv, writer
from takeroot.errors import DataError

CELL = st.text(
    st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=9
) | st.text('",\r\n; ', max_size=9)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(rows=st.lists(st.tuples(CELL, CELL), max_size=6))
def test_csv_is_read_back_as_it_was(tmp_path, rows):
    write_csv(tmp_path / "a.csv", ("one", "two"), rows)

    table = read(tmp_path / "a.csv")

    assert [tuple(row.values.values()) for row in table.rows] == rows
    assert table.rejects == []


def test_an_empty_cell_in_a_single_column_is_still_a_row(tmp_path):
    assert write_csv(tmp_path / "a.csv", ("text",), [("a",), ("",), ("b",)]) == 3

    assert [row.values["text"] for row in read(tmp_path / "a.csv").rows] == ["a", "", "b"]


@pytest.mark.parametrize("suffix", WRITERS)
def test_every_writer_has_a_reader(tmp_path, suffix):
    if suffix == "parquet":
        pytest.importorskip("pyarrow")
    path = tmp_path / f"a.{suffix}"
    rows = [{"text": "一 two", "label": "x"}, {"text": "three", "label": "y"}]

    writer(path)(path, ("text", "label"), rows)

    assert [row.values for row in read(path).rows] == rows


def test_an_unknown_suffix_names_the_known_ones(tmp_path):
    with pytest.raises(DataError, match="cannot write 'xlsx'; name it with one of: csv"):
        writer(tmp_path / "a.xlsx")
