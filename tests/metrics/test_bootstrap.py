import numpy as np
import pytest
from scipy.stats import bootstrap as scipy_bootstrap

from takeroot.metrics import bootstrap


def test_the_interval_of_an_accuracy_is_that_of_scipy():
    right = np.random.default_rng(0).random(500) < 0.8

    low, high = bootstrap.mean_interval(right, resamples=5000)

    expected = scipy_bootstrap(
        (right,), np.mean, n_resamples=5000, method="percentile", rng=np.random.default_rng(1)
    ).confidence_interval
    assert (low, high) == pytest.approx(
        (expected.low, expected.high), abs=0.004
    )  # two draws' noise


def test_the_same_seed_gives_the_same_interval():
    values = np.arange(50.0)

    assert bootstrap.mean_interval(values, seed=3) == bootstrap.mean_interval(values, seed=3)
    assert bootstrap.mean_interval(values, seed=3) != bootstrap.mean_interval(values, seed=4)


def test_every_resample_has_as_many_rows_as_there_are():
    weights = bootstrap.resample(np.array([5, 1, 4]), resamples=20)

    np.testing.assert_array_equal(weights.sum(axis=1), np.full(20, 10))


def test_kinds_are_the_distinct_rows_with_their_counts():
    kinds = bootstrap.kinds_of(np.array([7, 2, 7, 2, 2]), np.array([1, 1, 1, 0, 1]))

    found = {tuple(row): n for row, n in zip(kinds.values.tolist(), kinds.counts, strict=True)}
    assert found == {(7, 1): 2, (2, 1): 2, (2, 0): 1}


def test_group_sums_leave_absent_groups_at_zero():
    sums = bootstrap.group_sums(np.array([[1.0, 2.0, 4.0]]), np.array([2, 0, 2]), 4)

    np.testing.assert_array_equal(sums, [[2, 0, 5, 0]])


def test_a_ratio_of_sums_has_the_interval_of_drawing_rows_one_by_one():
    generator = np.random.default_rng(0)
    rows = generator.integers(0, 5, (300, 2))

    found = bootstrap.statistic_interval(rows, lambda sums: sums[:, 0] / sums[:, 1])

    drawn = rows[generator.integers(0, 300, (1000, 300))].sum(axis=1)
    expected = np.quantile(drawn[:, 0] / drawn[:, 1], [0.025, 0.975])
    assert found == pytest.approx(expected, abs=0.03)
