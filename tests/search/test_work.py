from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from takeroot.bundle import Outputs
from takeroot.data import Example
from takeroot.search.work import Part, cross_validation, gather
from takeroot.train.clock import Clock


def parts_judging(*rows: list[int]) -> list[Part]:
    return [Part(np.array([], np.int64), np.array(each)) for each in rows]


def test_outputs_of_parts_are_put_in_the_order_of_the_rows() -> None:
    parts = parts_judging([1, 4], [0, 3], [2])
    outputs = [Outputs(np.array([[k], [k + 10]][: len(p.judge)])) for k, p in enumerate(parts)]

    judged = gather(parts, outputs)

    assert judged.rows.tolist() == [0, 1, 2, 3, 4]
    assert np.asarray(judged.outputs.logits)[:, 0].tolist() == [1, 0, 2, 11, 10]


def test_text_vectors_move_with_their_rows() -> None:
    parts = parts_judging([1], [0])
    outputs = [Outputs(np.array([[float(k)]]), np.array([[k, k]])) for k in range(2)]

    embedding = gather(parts, outputs).outputs.embedding

    assert embedding is not None
    assert embedding.tolist() == [[1, 1], [0, 0]]


def test_words_of_tagged_texts_move_with_their_rows() -> None:
    parts = parts_judging([2], [0, 1])
    lengths = [[3], [1, 2]]
    outputs = [
        Outputs([np.full((n, 5), n) for n in each], None, [np.full((n, 2), n) for n in each])
        for each in lengths
    ]

    found = gather(parts, outputs).outputs

    assert [len(row) for row in found.logits] == [1, 2, 3]
    assert [len(row) for row in found.words or []] == [1, 2, 3]


def test_cross_validation_judges_every_row_once(shop_examples: Callable[..., Any]) -> None:
    rows = shop_examples(32)

    parts = cross_validation(rows, seed=0)

    assert sorted(k for part in parts for k in part.judge) == list(range(32))
    for part in parts:
        assert sorted([*part.train, *part.judge]) == list(range(32))


def test_folds_hold_every_class_alike(shop_examples: Callable[..., Any]) -> None:
    rows = shop_examples(30)

    for part in cross_validation(rows, seed=3):
        assert Counter(rows[k].label for k in part.judge) == {"card": 2, "code": 2, "money": 2}


def test_another_seed_deals_other_folds(shop_examples: Callable[..., Any]) -> None:
    first, second = (cross_validation(shop_examples(30), seed)[0].judge for seed in (0, 1))

    assert first.tolist() != second.tolist()


@pytest.mark.parametrize("count", [2, 3, 4])
def test_fewer_rows_than_folds_are_each_judged_alone(count: int) -> None:
    rows = [Example(str(k), "ab"[k % 2]) for k in range(count)]

    assert [len(part.judge) for part in cross_validation(rows, 0)] == [1] * count


def test_a_clock_counts_down_and_keeps_a_reserve() -> None:
    clock = Clock(100.0, started=time.monotonic() - 30)

    left = clock.left(reserve_s=20)

    assert left is not None
    assert 0 < left <= 50


def test_a_clock_past_its_limit_is_below_zero() -> None:
    left = Clock(1.0, started=time.monotonic() - 30).left()

    assert left is not None
    assert left <= -29


def test_a_clock_without_limit_never_ends() -> None:
    assert Clock(None).left(reserve_s=20) is None
