"""Reproducible splits and folds."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from takeroot.data import Example, folds, split
from takeroot.errors import DataError

LABELS = ("a", "b", "c", "d")


def examples(count=400, **same):
    return [
        Example(f"text number {i}", LABELS[i % 4], source=f"a.csv:{i}", **same)
        for i in range(count)
    ]


def texts(part):
    return {example.text for example in part}


def test_the_parts_hold_every_row_once_in_order():
    rows = examples()

    made = split(rows, seed=0, valid_share=0.2)

    assert Counter(made.train) + Counter(made.valid) == Counter(rows)
    assert [e for e in rows if e in texts_of(made.train)] == list(made.train)


def texts_of(part):
    return set(part)


def test_about_the_share_is_held_out_of_every_class():
    made = split(examples(8000), seed=0, valid_share=0.2)

    counts = Counter(example.label for example in made.valid)
    # 2000 rows a class at 0.2: mean 400, standard deviation 18; five of them either way
    assert all(310 < counts[label] < 490 for label in LABELS)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 99), fewer=st.integers(50, 399))
def test_adding_rows_moves_no_row(seed, fewer):
    rows = examples()

    small, large = (split(part, seed=seed, valid_share=0.2) for part in (rows[:fewer], rows))

    assert texts(small.train) <= texts(large.train)
    assert texts(small.valid) <= texts(large.valid)


def test_the_order_of_the_rows_does_not_matter():
    rows = examples()

    assert texts(split(rows, seed=3, valid_share=0.1).valid) == texts(
        split(rows[::-1], seed=3, valid_share=0.1).valid
    )


def test_another_seed_holds_other_rows_out():
    first, second = (split(examples(), seed=seed, valid_share=0.2) for seed in (0, 1))

    assert texts(first.valid) != texts(second.valid)


def test_texts_that_are_the_same_after_normalisation_stay_together():
    rows = [*examples(200), *(Example(f" TEXT  number {i}", "a") for i in range(200))]

    made = split(rows, seed=0, valid_share=0.3)

    forms = [{" ".join(e.text.lower().split()) for e in p} for p in (made.train, made.valid)]
    assert not forms[0] & forms[1]


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 999), sizes=st.lists(st.integers(1, 4), min_size=1, max_size=6))
def test_every_class_keeps_a_training_row(seed, sizes):
    rows = [Example(f"{i} {n}", str(i)) for i, size in enumerate(sizes) for n in range(size)] + [
        Example("one more", "0"),
        Example("and another", "0"),
    ]

    made = split(rows, seed=seed, valid_share=0.6)

    assert {e.label for e in made.train} == {e.label for e in rows}
    assert made.valid


def test_rows_that_cannot_be_held_out_are_an_error():
    with pytest.raises(DataError, match="no row can be held out"):
        split([Example("x", "a"), Example("y", "b")], seed=0, valid_share=0.5)


def test_groups_stay_whole():
    rows = [Example(f"text {i}", LABELS[i % 4], group=f"g{i % 40}") for i in range(400)]

    made = split(rows, seed=0, valid_share=0.2, by="group")

    assert not {e.group for e in made.train} & {e.group for e in made.valid}
    assert made.valid


def test_a_row_without_group_is_an_error_with_its_place():
    with pytest.raises(DataError, match=r"a\.csv:0: has no group"):
        split(examples(), seed=0, valid_share=0.1, by="group")


@pytest.mark.parametrize("times", [range(100), [f"2024-01-{1 + i // 10:02}" for i in range(100)]])
def test_by_time_the_latest_rows_are_held_out(times):
    rows = [Example(f"text {i}", LABELS[i % 4], time=str(t)) for i, t in enumerate(times)]

    made = split(rows[::-1], seed=0, valid_share=0.1, by="time")

    assert texts(made.valid) == {f"text {i}" for i in range(90, 100)}


def test_a_class_that_appears_late_only_is_kept_for_training():
    rows = [Example(f"text {i}", "new" if i > 90 else "old", time=str(i)) for i in range(100)]

    made = split(rows, seed=0, valid_share=0.09, by="time")

    assert [e.label for e in made.train].count("new") == 1


def test_numbers_are_ordered_as_numbers():
    rows = [Example(f"text {t}", "a", time=t) for t in ("9", "10", "11", "100")]

    assert texts(split(rows, seed=0, valid_share=0.2, by="time").valid) == {"text 100"}


@pytest.mark.parametrize("time", ["yesterday", "", None, "12"])
def test_a_time_that_cannot_be_read_is_an_error_with_its_place(time):
    rows = [Example("x", "a", time="2024-01-01"), Example("y", "a", source="a.csv:7", time=time)]

    with pytest.raises(DataError, match=r"a\.csv:7: time .* is not an ISO date"):
        split(rows, seed=0, valid_share=0.5, by="time")


def test_folds_are_even_within_every_class():
    rows = examples(403)

    numbers = folds(rows, 5, seed=0)

    counts = Counter((e.label, int(n)) for e, n in zip(rows, numbers, strict=True))
    assert max(counts.values()) - min(counts.values()) <= 1
    assert np.ptp(np.bincount(numbers)) <= 1


def test_same_texts_share_a_fold():
    rows = [*examples(50), *(Example(f"TEXT number {i}", "z") for i in range(50))]

    numbers = folds(rows, 5, seed=0)

    assert (numbers[:50] == numbers[50:]).all()


def test_folds_spread_rare_labels_of_multilabel_rows():
    rows = [
        Example(f"t{i}", ("common", "rare") if i % 20 == 0 else ("common",)) for i in range(100)
    ]

    numbers = folds(rows, 5, seed=0)

    assert set(numbers[::20].tolist()) == {0, 1, 2, 3, 4}


@pytest.mark.parametrize("count", [0, 1, 11])
def test_an_impossible_number_of_folds_is_an_error(count):
    with pytest.raises(DataError, match="folds: need 2 to 10"):
        folds(examples(10), count, seed=0)
