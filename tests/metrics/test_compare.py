import numpy as np
import pytest
from scipy.stats import binomtest

from takeroot.metrics.compare import mcnemar, paired_difference


@pytest.mark.parametrize(
    ("first", "second"), [(0, 0), (3, 9), (9, 3), (40, 40), (0, 12), (300, 500)]
)
def test_mcnemar_is_the_two_sided_binomial_test(first, second):
    total = first + second
    expected = binomtest(first, total).pvalue if total else 1.0

    assert mcnemar(first, second) == pytest.approx(expected, rel=1e-9)


def test_mcnemar_of_very_many_rows_is_a_number():
    assert 0 <= mcnemar(400_000, 401_000) < 0.3


def test_a_model_that_is_always_ahead_has_an_interval_above_zero():
    first = np.zeros(100)
    second = np.repeat([1.0, 0.0], [60, 40])

    found = paired_difference(first, second)

    assert found.mean == pytest.approx(0.6)
    assert found.low > 0.4
    assert found.better == 1.0


def test_equal_models_differ_by_nothing():
    rows = np.array([1.0, 0.0, 1.0])

    assert paired_difference(rows, rows).better == 0.5


def test_pairing_makes_the_interval_narrower_than_two_separate_ones():
    generator = np.random.default_rng(0)
    first = generator.random(1000) < 0.8
    second = first ^ (generator.random(1000) < 0.02)

    found = paired_difference(first, second)

    assert found.high - found.low < 0.03  # two separate intervals would span about 0.07
