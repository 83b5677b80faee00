"""Whole words are hidden, as many as asked for, and replaced in the shares of the paper."""

from __future__ import annotations

import pytest
import torch

from takeroot.pretraining.masking import draw_words, hidden_count, replace_drawn


@pytest.mark.parametrize(("tokens", "share", "count"), [(20, 0.15, 3), (3, 0.15, 1), (10, 0.5, 5)])
def test_a_share_of_the_tokens_is_hidden_one_at_least(
    tokens: int, share: float, count: int
) -> None:
    assert hidden_count(tokens, share) == count


def test_words_are_drawn_whole() -> None:
    starts = torch.tensor([1, 0, 0, 1, 1, 0, 1, 1, 0, 0, 1, 1]).bool()
    words = [{0, 1, 2}, {3}, {4, 5}, {6}, {7, 8, 9}, {10}, {11}]

    for seed in range(200):
        torch.manual_seed(seed)
        drawn = set(torch.nonzero(draw_words(starts, 0.4)).flatten().tolist())
        assert drawn == set().union(*(word for word in words if word & drawn))
        assert 1 <= len(drawn) <= 5


def test_single_characters_are_drawn_in_the_share_asked_for() -> None:
    starts = torch.ones(40, dtype=torch.bool)
    torch.manual_seed(0)

    counts = torch.stack([draw_words(starts, 0.15) for _ in range(2000)]).float()

    assert set(counts.sum(dim=1).tolist()) == {6.0}  # 0.15 of 40
    # Each place is drawn 300 times of 2000, with a deviation of 16: five of them are allowed.
    assert float((counts.sum(dim=0) - 300).abs().max()) < 80


def test_a_word_longer_than_the_share_is_drawn_where_it_comes_first() -> None:
    starts = torch.tensor([True, False, False, False])

    assert draw_words(starts, 0.15).tolist() == [True] * 4


def test_drawn_tokens_are_hidden_replaced_and_left_in_the_paper_s_shares() -> None:
    torch.manual_seed(0)
    ids = torch.full((40_000,), 7)
    drawn = torch.arange(40_000) % 2 == 0

    found = replace_drawn(ids, drawn, mask=4, others=torch.tensor([8, 9]))

    assert bool((found[~drawn] == 7).all())
    shares = [float((found[drawn] == number).float().mean()) for number in (4, 7, 8, 9)]
    assert shares == pytest.approx([0.8, 0.1, 0.05, 0.05], abs=0.012)  # five deviations
