from __future__ import annotations

import pytest
import torch

from takeroot.train.average import Average


def test_the_average_by_hand():
    weights = torch.tensor([1.0])
    average = Average([weights], decay=0.2)

    weights.fill_(3.0)
    average.update(0)  # a tenth of 1 stays: 2.8
    weights.fill_(5.0)
    average.update(1)  # two elevenths would stay: less than 0.2 do
    average.keep()

    assert float(weights[0]) == pytest.approx(2.8 * 2 / 11 + 5 * 9 / 11)


def test_late_steps_keep_the_decays_share():
    weights = torch.tensor([1.0])
    average = Average([weights], decay=0.5)

    weights.fill_(3.0)
    average.update(100)
    average.keep()

    assert float(weights[0]) == 2.0


def test_the_weights_come_back_after_a_swap_even_on_an_error():
    weights = torch.tensor([1.0])
    average = Average([weights], decay=0.5)
    weights.fill_(3.0)

    with pytest.raises(KeyError), average.swapped():
        assert float(weights[0]) == 1.0
        raise KeyError

    assert float(weights[0]) == 3.0


def test_without_decay_nothing_is_averaged():
    weights = torch.tensor([1.0])
    average = Average([weights], decay=0.0)

    weights.fill_(3.0)
    average.update(0)
    with average.swapped():
        inside = float(weights[0])
    average.keep()

    assert (inside, float(weights[0])) == (3.0, 3.0)
