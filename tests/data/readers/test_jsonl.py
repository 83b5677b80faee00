"""JSON Lines and arrays: strictness and accounting."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from takeroot.data import Limits, read
from takeroot.errors import DataError

LEAF = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
TEXT = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=8)
VALUE = st.recursive(LEAF | TEXT, lambda v: st.lists(v) | st.dictionaries(TEXT, v), max_leaves=5)


def reasons(table):
    return [(reject.line, reject.reason) for reject in table.rejects]


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    rows=st.lists(st.dictionaries(TEXT, VALUE, min_size=1), max_size=6),
    name=st.sampled_from(["a.jsonl", "a.json"]),
    ascii_only=st.booleans(),
)
def test_what_pythons_json_writes_is_read_back(tmp_path, rows, name, ascii_only):
    texts = [json.dumps(row, ensure_ascii=ascii_only) for row in rows]
    (tmp_path / "a.jsonl").write_text("\n".join([*texts, ""]) or "\n", encoding="utf-8")
    (tmp_path / "a.json").write_text(f"[{', '.join(texts)}]", encoding="utf-8")

    table = read(tmp_path / name)

    assert [row.values for row in table.rows] == rows
    assert table.rejects == []


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(lines=st.lists(st.text('{}[]":,a1 \\', min_size=1, max_size=15), max_size=8))
def test_every_line_with_text_is_one_row(tmp_path, lines):
    path = tmp_path / "a.jsonl"
    path.write_text('{"x": 1}\n' + "\n".join(lines))

    table = read(path)

    assert table.rows_in == 1 + sum(bool(line.strip()) for line in lines)
    assert table.rows_in == len(table.rows) + len(table.rejects)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"a": 1, "a": 2}', "key 'a' stands twice"),
        ('{"a": NaN}', "NaN is not a JSON number"),
        ('{"a": -Infinity}', "-Infinity is not a JSON number"),
        ('{"a": 1e999}', "number 1e999 is too large"),
        ('{"a": ' + "9" * 5000 + "}", "is not usable JSON"),
        ('{"a": "\\ud800"}', "undecodable byte or lone surrogate"),
        ('{"a": ["b", {"c": "\\u0000"}]}', "NUL character"),
        ('{"a": 1', "is not JSON: Expecting ',' delimiter at place 8"),
        ("[1]", "is not a JSON object but a list"),
        ("null", "is not a JSON object but a NoneType"),
        ("{}", "is an object without keys"),
        ("[" * 100_000, "is nested too deeply"),
        ('{"a": ' + '{"a":' * 100_000 + "}", "is nested too deeply"),
        (json.dumps({"a": [0] * 20_000}), "more than 10,000 nested values"),
    ],
)
def test_a_row_that_is_no_plain_object_is_rejected_with_the_reason(file, line, reason):
    table = read(file("a.jsonl", f'{line}\n{{"a": 1}}\n'))

    assert [row.values for row in table.rows] == [{"a": 1}]
    assert table.rejects[0].line == 1
    assert reason in table.rejects[0].reason


def test_columns_come_in_order_of_first_appearance(file):
    assert read(file("a.jsonl", '{"b": 1}\n{"a": 2, "b": 3}\n')).columns == ("b", "a")


def test_a_row_above_the_limit_is_one_reject(file):
    path = file("a.jsonl", '{"a": "' + "x" * 100 + '"}\n{"a": 1}\n')

    table = read(path, limits=Limits(record_chars=50))

    assert reasons(table) == [(1, "row is longer than 50 characters")]
    assert len(table.rows) == 1


def test_an_array_names_the_line_of_each_bad_element(file):
    table = read(file("a.json", '[\n{"a": 1},\n\n{"a": NaN}, {"a": 2}\n]'))

    assert [row.line for row in table.rows] == [2, 4]
    assert reasons(table) == [(4, "is not usable JSON: NaN is not a JSON number")]


def test_an_array_of_something_else_is_an_error(file):
    with pytest.raises(DataError, match=r"a\.json:2: expected an object, found '1, 2\]'"):
        read(file("a.json", "[\n1, 2]"))


def test_an_object_that_does_not_end_is_an_error(file):
    with pytest.raises(DataError, match="the object that starts here does not end"):
        read(file("a.json", '[{"a": {"b": "}"}'))


def test_more_different_keys_than_the_limit_are_an_error(file):
    rows = "\n".join(f'{{"k{i}": 1}}' for i in range(9))

    with pytest.raises(DataError, match="more than 5 different keys"):
        read(file("a.jsonl", rows), limits=Limits(columns=5))


def test_names_cannot_be_given_to_json(file):
    with pytest.raises(DataError, match="name their own columns"):
        read(file("a.jsonl", '{"a": 1}'), header=["b"])
