"""Tensors, between numpy and the wire."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from takeroot.serve.faults import ServeError
from takeroot.serve.v2 import tensors
from takeroot.serve.v2.messages import message

MOST = 10_000
NUMBERS = [name for name in tensors.DTYPES if name not in ("BYTES", "BF16")]
SHAPES = hnp.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=4)
Contents = message("inference.InferTensorContents")


@st.composite
def numbers(draw: st.DrawFn) -> tuple[str, np.ndarray]:
    """A datatype and an array of it."""
    datatype = draw(st.sampled_from(NUMBERS))
    return datatype, draw(hnp.arrays(tensors.DTYPES[datatype], SHAPES))


@given(numbers())
def test_numbers_survive_the_raw_form(drawn: tuple[str, np.ndarray]) -> None:
    datatype, array = drawn

    found = tensors.from_raw(datatype, array.shape, tensors.to_raw(datatype, array), MOST)

    np.testing.assert_array_equal(found, array)
    assert found.dtype == array.dtype


@given(hnp.arrays(np.uint16, SHAPES))
def test_every_bf16_survives_the_raw_form(halves: np.ndarray) -> None:
    raw = halves.astype("<u2").tobytes()

    wide = tensors.from_raw("BF16", halves.shape, raw, MOST)

    assert tensors.to_raw("BF16", wide) == raw


@given(st.lists(st.binary(max_size=40), max_size=20))
def test_byte_strings_survive_the_raw_form(values: list[bytes]) -> None:
    assert tensors.split(tensors.join(values), len(values)) == values


@given(st.lists(st.text(max_size=20), min_size=1, max_size=12))
def test_texts_survive_json_flat_or_nested(values: list[str]) -> None:
    texts = [each.encode("utf-8", "replace").decode() for each in values]
    column = [[each] for each in msgspec.json.decode(msgspec.json.encode(texts))]

    flat = tensors.from_json("BYTES", [len(texts)], texts, MOST)
    nested = tensors.from_json("BYTES", [len(texts), 1], column, MOST)

    assert tensors.to_json(flat) == tensors.to_json(nested) == texts


@given(numbers().filter(lambda drawn: drawn[0] != "FP16" and np.isfinite(drawn[1]).all()))
def test_numbers_survive_json(drawn: tuple[str, np.ndarray]) -> None:
    datatype, array = drawn
    data = msgspec.json.decode(msgspec.json.encode(tensors.to_json(array)))

    found = tensors.from_json(datatype, array.shape, data, MOST)

    np.testing.assert_array_equal(found, array)


@given(numbers().filter(lambda drawn: drawn[0] != "FP16"))
def test_numbers_survive_typed_contents(drawn: tuple[str, np.ndarray]) -> None:
    datatype, array = drawn
    contents = Contents(**{tensors._CONTENTS[datatype]: array.ravel().tolist()})

    found = tensors.from_contents(datatype, array.shape, contents, MOST)

    np.testing.assert_array_equal(found, array)


def test_empty_and_foreign_byte_strings_are_kept() -> None:
    values = [b"", "我的卡 ü".encode(), b"\0\xff", b""]

    array = tensors.from_raw("BYTES", [2, 2], tensors.join(values), MOST)

    assert array.ravel().tolist() == values
    assert tensors.to_raw("BYTES", array) == tensors.join(values)


def test_the_raw_form_is_the_one_of_the_protocol() -> None:
    assert tensors.join([b"ab", b""]) == b"\2\0\0\0ab\0\0\0\0"
    assert tensors.to_raw("FP32", np.array([1.0])) == b"\0\0\x80\x3f"
    assert tensors.to_raw("BOOL", np.array([True, False])) == b"\1\0"


@pytest.mark.parametrize("shape", [[], [-1], [1] * 9, [2, -3]])
def test_a_shape_that_is_none_is_refused(shape: list[int]) -> None:
    with pytest.raises(ServeError, match="dimensions"):
        tensors.elements(shape, MOST)


@pytest.mark.parametrize("shape", [[2**60], [2**60, 2**60], [2**32, 2**32], [101], [11, 10]])
def test_a_shape_of_too_many_elements_is_refused_before_it_is_believed(shape: list[int]) -> None:
    with pytest.raises(ServeError, match="at most 100"):
        tensors.from_raw("FP32", shape, b"", 100)


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
    ("datatype", "raw"), [("FP32", b"\0" * 7), ("FP16", b"\0"), ("BOOL", b"\2\0"), ("BF16", b"")]
)
def test_raw_data_of_another_size_or_value_is_refused(datatype: str, raw: bytes) -> None:
    with pytest.raises(ServeError) as caught:
        tensors.from_raw(datatype, [2], raw, MOST)

    assert caught.value.code == "invalid_request"


@pytest.mark.parametrize(
    ("datatype", "shape", "data"),
    [
        ("BYTES", [1], ["a", "b"]),
        ("BYTES", [1], "a"),
        ("BYTES", [1], [None]),
        ("BYTES", [1], [1]),
        ("BYTES", [1], [["a"]]),
        ("BYTES", [2, 1], [["a"], ["b", "c"]]),
        ("BYTES", [2, 1], [["a"], "b"]),
        ("BYTES", [2, 2], [["a", "b"]]),
        ("BOOL", [1], [1]),
        ("INT8", [1], [128]),
        ("INT8", [1], [True]),
        ("INT8", [1], [1.0]),
        ("UINT8", [1], [-1]),
        ("UINT64", [1], [2**64]),
        ("FP32", [1], [1e300]),
        ("FP64", [1], [10**400]),
        ("FP16", [1], [1.0]),
        ("BF16", [1], [1.0]),
        ("TEXT", [1], ["a"]),
        ("FP32", [1], {"a": 1}),
        ("FP32", [1], None),
    ],
)
def test_json_that_is_not_the_tensor_is_refused(datatype: str, shape: list[int], data: Any) -> None:
    with pytest.raises(ServeError) as caught:
        tensors.from_json(datatype, shape, data, MOST)

    assert caught.value.code == "invalid_request"


@pytest.mark.parametrize(
    ("datatype", "contents"),
    [
        ("BYTES", Contents(bytes_contents=[b"a", b"b"])),
        ("BYTES", Contents(fp32_contents=[1.0])),
        ("BYTES", Contents(bytes_contents=[b"a"], bool_contents=[True])),
        ("INT8", Contents(int_contents=[300])),
        ("FP16", Contents(fp32_contents=[1.0])),
        ("WHAT", Contents(fp32_contents=[1.0])),
    ],
)
def test_contents_that_are_not_the_tensor_are_refused(datatype: str, contents: Any) -> None:
    with pytest.raises(ServeError) as caught:
        tensors.from_contents(datatype, [1], contents, MOST)

    assert caught.value.code == "invalid_request"


@pytest.mark.parametrize("shape", [[2, 2], [1, 1, 1], [1, 2]])
def test_an_input_has_one_text_a_row(shape: list[int]) -> None:
    with pytest.raises(ServeError, match=r"\[n\] or \[n, 1\]"):
        tensors.rows(shape, MOST)
