from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from takeroot.tasks import Encoded
from takeroot.train.batches import by_length, collate, shuffled

LENGTHS = st.lists(st.integers(1, 60), max_size=80)


@given(LENGTHS, st.integers(1, 9), st.integers(0, 3))
def test_an_epoch_has_every_row_once(lengths: list[int], size: int, seed: int):
    batches = shuffled(np.array(lengths, int), size, np.random.default_rng(seed))

    rows = [row for batch in batches for row in batch]
    assert sorted(rows) == list(range(len(lengths)))
    assert all(1 <= len(batch) <= size for batch in batches)
    assert len(batches) == -(-len(lengths) // size)


def test_epochs_differ_and_follow_the_seed():
    lengths, random = np.arange(1, 41), np.random.default_rng(0)
    first, second = (np.concatenate(shuffled(lengths, 4, random)) for _ in range(2))

    again = np.concatenate(shuffled(lengths, 4, np.random.default_rng(0)))

    assert first.tolist() == again.tolist()
    assert first.tolist() != second.tolist()


def test_texts_of_like_length_share_a_batch():
    lengths = np.random.default_rng(0).permutation(np.repeat([3, 50], 32))

    batches = shuffled(lengths, 8, np.random.default_rng(0))

    assert all(len(set(lengths[batch])) == 1 for batch in batches)


@given(LENGTHS, st.integers(1, 100))
def test_batches_by_length_have_every_row_once_and_keep_to_the_limit(
    lengths: list[int], tokens: int
):
    batches = by_length(np.array(lengths, int), tokens)

    assert sorted(row for batch in batches for row in batch) == list(range(len(lengths)))
    for batch in batches:
        padded = len(batch) * max(lengths[row] for row in batch)
        assert padded <= tokens or len(batch) == 1


def test_a_batch_is_padded_to_its_longest_row():
    batch = collate([Encoded([5, 6, 7], [0, 1, 1], (), 0), Encoded([8], [1], (), 0)])

    assert batch.ids.tolist() == [[5, 6, 7], [8, 0, 0]]
    assert batch.mask.tolist() == [[1, 1, 1], [1, 0, 0]]
    assert batch.types.tolist() == [[0, 1, 1], [1, 0, 0]]
