"""What every reader promises, for each entry of the table."""

from __future__ import annotations

import json

import pytest

from takeroot.data import Limits, read
from takeroot.data.readers import READERS
from takeroot.errors import DataError

CONTENT = {
    "csv": "text,label\na,b\nc,d\n",
    "tsv": "text\tlabel\na\tb\nc\td\n",
    "jsonl": '{"text": "a", "label": "b"}\n{"text": "c", "label": "d"}\n',
    "json": '[{"text": "a", "label": "b"}, {"text": "c", "label": "d"}]',
    "conll": "a\tO\n\nc\tO\n",
    "txt": "a\nc\n",
}
SAME = {"tab": "tsv", "ndjson": "jsonl"}
TEXT_FORMATS = [name for name in READERS if name != "parquet"]


def sample(tmp_path, name):
    path = tmp_path / f"a.{name}"
    if name == "parquet":
        arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
        parquet.write_table(arrow.table({"text": ["a", "c"], "label": ["b", "d"]}), path)
    else:
        path.write_text(CONTENT.get(SAME.get(name, name), CONTENT["conll"]))
    return path


@pytest.mark.parametrize("name", READERS)
def test_every_row_is_read(tmp_path, name):
    table = read(sample(tmp_path, name))

    assert [row.values["text"] for row in table.rows] == ["a", "c"]
    assert (table.rows_in, table.rejects, table.name) == (2, [], f"a.{name}")


@pytest.mark.parametrize("name", READERS)
def test_the_hash_depends_on_the_content(tmp_path, name):
    table = read(sample(tmp_path, name))

    assert table.sha256 == read(sample(tmp_path, name)).sha256
    assert len(table.sha256) == 64


@pytest.mark.parametrize("name", READERS)
def test_the_row_limit_is_an_error(tmp_path, name):
    with pytest.raises(DataError, match=r"more than 1 (rows|sentences)|at most 1"):
        read(sample(tmp_path, name), limits=Limits(rows=1))


@pytest.mark.parametrize("name", READERS)
def test_a_file_of_noise_is_refused_or_rejected(tmp_path, name):
    path = tmp_path / f"a.{name}"
    path.write_bytes(b"\x00\xff\xfe\x01" * 100)

    with pytest.raises(DataError, match=rf"a\.{name}"):
        read(path)


@pytest.mark.parametrize("name", TEXT_FORMATS)
def test_a_byte_order_mark_changes_nothing(tmp_path, name):
    path = sample(tmp_path, name)
    plain = read(path)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())

    assert read(path).sha256 == plain.sha256


def test_tables_of_the_same_strings_have_the_same_hash_in_every_format(tmp_path):
    names = ("csv", "tsv", "jsonl", "json", "parquet")

    assert len({read(sample(tmp_path, name)).sha256 for name in names}) == 1


def test_an_unknown_suffix_names_the_known_ones(tmp_path):
    with pytest.raises(DataError, match=r"format 'xyz' is not one of: csv, tsv"):
        read(tmp_path / "a.xyz")


def test_a_format_can_be_named_where_the_suffix_does_not_tell(file):
    assert read(file("a.train", "a\tO\n"), format="conll").rows_in == 1


def test_parquet_times_and_missing_values_become_plain(tmp_path):
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    columns = {"t": [None, 1_000_000], "f": [float("nan"), 0.5]}
    table = arrow.table({"t": arrow.array(columns["t"], arrow.timestamp("us")), "f": columns["f"]})
    parquet.write_table(table, tmp_path / "a.parquet")

    rows = [row.values for row in read(tmp_path / "a.parquet").rows]

    assert rows == [{"t": None, "f": None}, {"t": "1970-01-01T00:00:01", "f": 0.5}]
    assert json.dumps(rows)
