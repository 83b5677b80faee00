"""Quotes, ragged rows, headers and limits of csv and tsv files."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from takeroot.data import Limits, read
from takeroot.errors import DataError

CELL = st.text(
    st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=12
) | st.text('",\n\r;a ', max_size=12)


def values(table):
    return [tuple(row.values.values()) for row in table.rows]


def rejects(table):
    return [(reject.line, reject.reason) for reject in table.rejects]


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    rows=st.lists(st.tuples(CELL, CELL, CELL), max_size=8),
    # With "\n" as the end, Python < 3.13 leaves a lone "\r" unquoted: nobody can read that back.
    form=st.sampled_from([("\r\n", csv.QUOTE_MINIMAL), ("\n", csv.QUOTE_ALL)]),
)
def test_what_pythons_csv_writes_is_read_back(tmp_path, rows, form):
    rows = [row for row in rows if row != ("one", "two", "three")]
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator=form[0], quoting=form[1])
    writer.writerows([("one", "two", "three"), *rows])
    path = tmp_path / "a.csv"
    path.write_bytes(out.getvalue().encode())

    table = read(path)

    assert values(table) == rows
    assert table.rejects == []


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(body=st.text('",\n\r;ab', max_size=60))
def test_any_text_is_accounted_for_and_lines_rise(tmp_path, body):
    path = tmp_path / "a.csv"
    path.write_bytes(f"x,y\n{body}".encode())

    table = read(path)

    starts = sorted([row.line for row in table.rows] + [reject.line for reject in table.rejects])
    assert table.rows_in == len(starts) == len(set(starts))
    assert all(set(row.values) == {"x", "y"} for row in table.rows)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(lines=st.lists(st.text("a,;b\t ", min_size=1, max_size=8), max_size=20))
def test_without_quotes_every_line_with_text_is_one_row(tmp_path, lines):
    path = tmp_path / "a.csv"
    path.write_text("x,y\n" + "\n".join(lines))

    assert read(path).rows_in == len(lines)


def test_a_quoted_field_may_hold_quotes_separators_and_line_breaks(file):
    table = read(file("a.csv", 'x,y\n"a ""b"", c\r\nd",e\nf,g\n'))

    assert values(table) == [('a "b", c\r\nd', "e"), ("f", "g")]
    assert [row.line for row in table.rows] == [2, 4]


def test_a_quote_inside_an_unquoted_field_is_literal(file):
    assert values(read(file("a.csv", 'x,y\n5" disk,hardware\n'))) == [('5" disk', "hardware")]


def test_an_unbalanced_quote_costs_its_line_only(file):
    table = read(file("a.csv", 'x,y\na,b\n"c,d\ne,f\n"g, h",i\nj,k\n'))

    assert values(table) == [("a", "b"), ("e", "f"), ("g, h", "i"), ("j", "k")]
    assert rejects(table) == [(3, "text after the closing quote of column 1")]


def test_a_quote_that_never_closes_costs_its_line_only(file):
    table = read(file("a.csv", 'x,y\na,"b\n' + "c,d\n" * 5))

    assert len(table.rows) == 5
    assert rejects(table) == [(2, "quote is not closed before the end of the file")]


def test_a_quote_that_closes_far_below_is_bounded_by_lines(file):
    table = read(file("a.csv", 'x,y\n"a,b\n' + "c,d\n" * 9), limits=Limits(record_lines=5))

    assert len(table.rows) == 9
    assert rejects(table) == [(2, "quote is not closed within 5 lines")]


def test_a_quote_that_closes_far_below_is_bounded_by_characters(file):
    table = read(file("a.csv", 'x,y\n"a,b\n' + "cc,dd\n" * 9), limits=Limits(field_chars=20))

    assert len(table.rows) == 9
    assert rejects(table) == [(2, "quote is not closed within 20 characters")]


def test_the_tail_of_a_broken_row_is_not_taken_for_a_row(file):
    table = read(file("a.csv", 'x,y\n"one\ntwo" three,four\nfive,six\n'))

    assert values(table) == [("five", "six")]
    assert [line for line, _ in rejects(table)] == [2, 3]


def test_ragged_rows_are_rejected_with_their_numbers(file):
    table = read(file("a.csv", "x,y\na\nb,c\nd,e,f\n"))

    assert values(table) == [("b", "c")]
    assert rejects(table) == [
        (2, "has 1 of the header's 2 columns"),
        (4, "has more columns than the header's 2"),
    ]


def test_a_nul_is_rejected_with_row_and_place(file):
    table = read(file("a.csv", "x,y\na,b\0c\nd,e\n"))

    assert rejects(table) == [(2, "column 'y': NUL character at place 2")]


def test_a_field_above_the_limit_is_rejected_and_one_at_it_is_kept(file):
    table = read(file("a.csv", f"x,y\n{'a' * 21},b\n{'a' * 20},b\n"), limits=Limits(field_chars=20))

    assert [row.line for row in table.rows] == [3]
    assert rejects(table) == [(2, "column 'x': longer than 20 characters")]


def test_a_line_above_the_limit_is_one_reject(file):
    table = read(file("a.csv", f"x,y\n{'a' * 99},b\nc,d\n"), limits=Limits(record_chars=50))

    assert values(table) == [("c", "d")]
    assert rejects(table) == [(2, "row is longer than 50 characters")]


def test_more_rows_than_the_limit_are_an_error(file):
    with pytest.raises(DataError, match="has more than 3 rows"):
        read(file("a.csv", "x,y\n" + "a,b\n" * 4), limits=Limits(rows=3))


def test_a_column_that_stands_twice_is_an_error(file):
    with pytest.raises(DataError, match=r"a\.csv:1: column 'x' stands twice"):
        read(file("a.csv", "x,y,x\n1,2,3\n"))


def test_too_many_columns_are_an_error(file):
    with pytest.raises(DataError, match="header cannot be read: has more columns"):
        read(file("a.csv", "a," * 9 + "\n"), limits=Limits(columns=5))


def test_a_column_without_a_name_is_named_by_its_place(file):
    assert read(file("a.csv", ",text\n1,a\n")).columns == ("column_1", "text")


def test_a_header_that_stands_again_is_a_reject(file):
    table = read(file("a.csv", "x,y\na,b\nx,y\nc,d\n"))

    assert rejects(table) == [(3, "repeats the header")]


def test_given_names_make_the_first_row_a_row(file):
    table = read(file("a.csv", "a,b\nc,d\n"), header=["x", "y"])

    assert (table.columns, values(table)) == (("x", "y"), [("a", "b"), ("c", "d")])


def test_semicolons_are_taken_and_said_where_the_header_has_no_comma(file):
    table = read(file("a.csv", 'x;y\n"a;b";"c, d"\n'))

    assert values(table) == [("a;b", "c, d")]
    assert "separated by ';'" in table.notes[0]


def test_tabs_are_the_only_syntax_of_tsv(file):
    assert values(read(file("a.tsv", 'x\ty\n"a, b\t"c"\n'))) == [('"a, b', '"c"')]


def test_a_header_only_file_has_no_rows(file):
    table = read(file("a.csv", "x,y\n"))

    assert (table.columns, table.rows_in) == (("x", "y"), 0)


def test_a_file_of_blank_lines_is_refused(file):
    with pytest.raises(DataError, match="has only blank lines"):
        read(file("a.csv", "\n\r\n\n"))
