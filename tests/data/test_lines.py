"""Decoding order, what is no text file, and lines of any length."""

from __future__ import annotations

import os

import pytest

from takeroot.data import Limits, read
from takeroot.data.lines import ENCODINGS, read_lines
from takeroot.errors import DataError

ROWS = "text,label\n为什么还没收到？,物流\ncafé,other\n"


def lines(path, encoding=None, **limits):
    return [(line.number, line.text) for line in read_lines(path, encoding, Limits(**limits))]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_marked_and_plain_unicode_need_no_declaration(file, encoding):
    table = read(file("a.csv", ROWS.encode(encoding)))

    assert table.columns == ("text", "label")
    assert [row.values["label"] for row in table.rows] == ["物流", "other"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32", "gb18030"])
def test_the_same_content_has_the_same_hash_in_every_encoding(file, encoding):
    plain = read(file("a.csv", ROWS))

    other = read(file("b.csv", ROWS.encode(encoding)), encoding=encoding.removesuffix("-sig"))

    assert other.sha256 == plain.sha256


def test_valid_utf8_wins_over_the_declared_encoding(file):
    path = file("a.csv", ROWS)

    assert read(path, encoding="gb18030").rows == read(path).rows


def test_bytes_that_are_not_utf8_are_named_by_line_and_offset(file):
    path = file("a.csv", b"text,label\nok,a\ncaf\xe9,b\n")

    with pytest.raises(DataError, match=r"a\.csv:3: byte 0xE9 at offset 19 is not UTF-8; declare"):
        read(path)


def test_a_bad_byte_beyond_the_first_megabyte_has_its_true_line(file):
    path = file("a.csv", b"text,label\n" + b"aaaaaaa,b\n" * 200_000 + b"\xe4\xb8\n")

    with pytest.raises(DataError, match=r":200002: byte 0xE4 at offset 2000011"):
        read(path)


def test_once_utf8_is_declared_only_the_bad_rows_are_rejected(file):
    table = read(file("a.csv", b"text,label\nok,a\ncaf\xe9,b\n"), encoding="utf-8")

    assert [row.line for row in table.rows] == [2]
    assert [(r.line, r.reason) for r in table.rejects] == [
        (3, "column 'text': undecodable byte or lone surrogate at place 4")
    ]


def test_declared_latin1_is_used_where_utf8_fails(file):
    table = read(file("a.csv", "text,label\ncafé,b\n".encode("latin-1")), encoding="latin-1")

    assert table.rows[0].values["text"] == "café"


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_offered_encoding_is_known_to_python(file, encoding):
    path = file("a.csv", "text,label\nabc,b\n".encode(encoding))

    assert read(path, encoding=encoding).rows[0].values["text"] == "abc"


def test_an_unknown_encoding_is_refused_with_the_known_ones(file):
    with pytest.raises(DataError, match="'klingon' is not one of: utf-8, gb18030"):
        read(file("a.csv", ROWS), encoding="klingon")


def test_utf16_without_a_mark_is_not_guessed(file):
    path = file("a.csv", "text,label\nabc,b\n".encode("utf-16-le"))

    with pytest.raises(DataError, match="declare the encoding: utf-16-le"):
        read(path)


@pytest.mark.parametrize(
    ("head", "what"),
    [
        (b"PK\x03\x04 rest", "zip archive"),
        (b"\x1f\x8b\x08 rest", "gzip"),
        (b"\xd0\xcf\x11\xe0 rest", "Office"),
        (b"PAR1 rest", "parquet"),
    ],
)
def test_other_formats_named_csv_are_told_by_their_first_bytes(file, head, what):
    with pytest.raises(DataError, match=what):
        read(file("a.csv", head))


def test_line_breaks_of_all_three_kinds_end_a_line_and_no_others(file):
    path = file("a.txt", "a\nb\r\nc\rd\x0be\u2028f\x85g")

    assert lines(path) == [(1, "a"), (2, "b"), (3, "c"), (4, "d\x0be\u2028f\x85g")]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("length", [9, 10, 11, 19, 20, 21, 29, 30])
def test_a_line_around_the_limit_never_shifts_the_next_one(file, length, end):
    path = file("a.txt", f"{'x' * length}{end}next{end}last")

    found = list(read_lines(path, None, Limits(record_chars=10)))

    assert [(line.number, line.text) for line in found[1:]] == [(2, "next"), (3, "last")]
    assert found[0].over == (length >= 10)


def test_many_blank_lines_in_a_row_are_refused(file):
    path = file("a.txt", "a\n" + "\n" * 50 + "b\n")

    with pytest.raises(DataError, match=r"a\.txt:12: 11 blank lines in a row"):
        lines(path, blank_lines=10)


def test_an_empty_file_is_refused(file):
    with pytest.raises(DataError, match=r"a\.csv: is empty"):
        read(file("a.csv", ""))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"none\.csv: no such file"):
        read(tmp_path / "none.csv")


def test_a_folder_and_a_pipe_are_no_files(tmp_path):
    (tmp_path / "folder.csv").mkdir()
    os.mkfifo(tmp_path / "pipe.csv")

    for name in ("folder.csv", "pipe.csv"):
        with pytest.raises(DataError, match="is not a regular file"):
            read(tmp_path / name)


def test_a_file_above_the_size_limit_is_not_opened_for_parsing(file):
    with pytest.raises(DataError, match="32 bytes; at most 10 are read"):
        read(file("a.csv", "text,label\n" + "a,b\n" * 5 + "\n"), limits=Limits(file_bytes=10))
