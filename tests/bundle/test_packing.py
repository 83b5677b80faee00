from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from takeroot.bundle.packing import flatten, pack, plan

rows = st.lists(st.lists(st.integers(0, 999), min_size=1, max_size=12), min_size=1, max_size=30)


def test_a_pack_holds_texts_end_to_end():
    flat = flatten([[2, 5, 3], [2, 3]], [[0, 0, 1], [0, 1]], position_offset=2)

    feeds = pack(flat)

    assert feeds["input_ids"].tolist() == [[2, 5, 3, 2, 3]]
    assert feeds["position_ids"].tolist() == [[2, 3, 4, 2, 3]]
    assert feeds["token_type_ids"].tolist() == [[0, 0, 1, 0, 1]]
    assert feeds["segments"].tolist() == [[0, 0, 0, 1, 1]]
    third = np.float32(1 / 3)
    assert feeds["pool"].tolist() == [[third, third, third, 0, 0], [0, 0, 0, 0.5, 0.5]]


def test_arrays_have_the_types_the_graph_takes():
    feeds = pack(flatten([[1], [2, 3]]), 1, 2)

    assert {name: array.dtype for name, array in feeds.items()} == {
        "input_ids": np.int64,
        "position_ids": np.int64,
        "token_type_ids": np.int64,
        "segments": np.int64,
        "pool": np.float32,
    }


def test_a_graph_over_tokens_gets_no_pool():
    assert "pool" not in pack(flatten([[1]]), pooled=False)


@given(rows, st.integers(1, 40))
def test_packs_hold_every_text_once_in_order_and_no_more_tokens_than_asked(ids, pack_tokens):
    packs = plan(flatten(ids).starts, pack_tokens)

    assert [number for first, last in packs for number in range(first, last)] == [*range(len(ids))]
    for first, last in packs:
        assert last - first == 1 or sum(map(len, ids[first:last])) <= pack_tokens


@given(rows, st.integers(1, 40))
def test_no_pack_could_take_the_next_text(ids, pack_tokens):
    packs = plan(flatten(ids).starts, pack_tokens)

    for (first, _), (_, last) in pairwise(packs):
        assert sum(map(len, ids[first:last])) > pack_tokens or first + 1 == last


@given(rows, st.integers(1, 40), st.integers(0, 3))
def test_a_text_in_a_pack_is_what_it_is_alone(ids, pack_tokens, offset):
    flat = flatten(ids, position_offset=offset)

    for first, last in plan(flat.starts, pack_tokens):
        feeds = pack(flat, first, last)
        for number in range(first, last):
            inside = feeds["segments"][0] == number - first
            alone = pack(flatten([ids[number]], position_offset=offset))
            for name in ("input_ids", "position_ids", "token_type_ids"):
                assert np.array_equal(feeds[name][0, inside], alone[name][0])
            assert np.array_equal(feeds["pool"][number - first, inside], alone["pool"][0])
            assert feeds["pool"][number - first, ~inside].sum() == 0


def test_no_texts_make_no_packs():
    assert plan(flatten([]).starts, 10) == []
