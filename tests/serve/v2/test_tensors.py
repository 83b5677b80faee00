"""Tensors on the wire."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from takeroot.serve.faults import ServeError
from takeroot.serve.v2 import tensors

MOST = 10_000


@given(st.lists(st.binary(max_size=40), max_size=20))
def test_byte_strings_survive_the_raw_form(values: list[bytes]) -> None:
    assert tensors.split(tensors.join(values), len(values)) == values


@given(st.lists(st.text(max_size=20), min_size=1, max_size=12))
def test_json_data_is_read_flat_or_nested(texts: list[str]) -> None:
    column = [[each] for each in texts]

    flat = tensors.flatten(texts, [len(texts)], MOST)
    nested = tensors.flatten(column, [len(texts), 1], MOST)

    assert flat == nested == texts


def test_the_raw_form_is_the_one_of_the_protocol() -> None:
    assert tensors.join([b"ab", b""]) == b"\2\0\0\0ab\0\0\0\0"
    assert tensors.split(tensors.join(["我的卡 ü".encode(), b"\0\xff"]), 2)[1] == b"\0\xff"


@pytest.mark.parametrize("shape", [[], [-1], [1] * 9, [2, -3]])
def test_a_shape_that_is_none_is_refused(shape: list[int]) -> None:
    with pytest.raises(ServeError, match="dimensions"):
        tensors.elements(shape, MOST)


@pytest.mark.parametrize("shape", [[2**60], [2**60, 2**60], [2**32, 2**32], [101], [11, 10]])
def test_a_shape_of_too_many_elements_is_refused_before_it_is_believed(shape: list[int]) -> None:
    with pytest.raises(ServeError, match="at most 100"):
        tensors.elements(shape, 100)


def test_a_shape_with_a_zero_has_no_elements() -> None:
    assert tensors.elements([2**60, 0], MOST) == 0
    assert tensors.elements([0], MOST) == 0


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\1",
        b"\1\0\0",
        b"\2\0\0\0a",
        b"\xff\xff\xff\xffabc",
        b"\0\0\0\0",  # one of two elements
        b"\1\0\0\0a\1\0\0",
        b"\0\0\0\0\0\0\0\0\0",
        b"\0\0\0\0\0\0\0\0\0\0\0\0",
    ],
)
def test_byte_strings_that_do_not_add_up_are_refused(raw: bytes) -> None:
    with pytest.raises(ServeError, match="BYTES tensor"):
        tensors.split(raw, 2)


@given(st.binary(max_size=60), st.integers(0, 8))
def test_any_bytes_are_split_or_refused(raw: bytes, count: int) -> None:
    try:
        values = tensors.split(raw, count)
    except ServeError as error:
        assert error.code == "invalid_request"
    else:
        assert tensors.join(values) == raw


@pytest.mark.parametrize(
    ("shape", "data"),
    [
        ([1], ["a", "b"]),
        ([1], "a"),
        ([1], {"a": 1}),
        ([1], None),
        ([2, 1], [["a"], ["b", "c"]]),
        ([2, 1], [["a"], "b"]),
        ([2, 2], [["a", "b"]]),
    ],
)
def test_json_that_is_not_the_tensor_is_refused(shape: list[int], data: Any) -> None:
    with pytest.raises(ServeError) as caught:
        tensors.flatten(data, shape, MOST)

    assert caught.value.code == "invalid_request"


@pytest.mark.parametrize("shape", [[2, 2], [1, 1, 1], [1, 2]])
def test_an_input_has_one_text_a_row(shape: list[int]) -> None:
    with pytest.raises(ServeError, match=r"\[n\] or \[n, 1\]"):
        tensors.rows(shape, MOST)
