"""How deeply JSON is nested."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from takeroot.serve.v2.json_depth import is_deeper

KEYS = st.text('{["\\', max_size=3)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text('[]{}"\\a', max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=30,
)


def levels(value: Any) -> int:
    """The honest way to count."""
    if isinstance(value, dict):
        value = list(value.values())
    return 1 + max(map(levels, value), default=0) if isinstance(value, list) else 0


@given(JSON, st.integers(0, 6))
def test_json_is_deeper_when_it_is(value: Any, most: int) -> None:
    assert is_deeper(msgspec.json.encode(value), most) is (levels(value) > most)


@pytest.mark.parametrize("data", [b"[" * 100_000, b'{"a":' * 50_000, b"[" * 33 + b"]" * 33])
def test_what_nests_without_end_is_deeper(data: bytes) -> None:
    assert is_deeper(data, 32)


def test_brackets_in_texts_do_not_count() -> None:
    assert not is_deeper(msgspec.json.encode(["[" * 100 + '\\"' + "{" * 100]), 32)


def test_many_lists_side_by_side_are_not_deep() -> None:
    assert not is_deeper(msgspec.json.encode([[["a"]] * 1000]), 4)
