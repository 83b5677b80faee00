import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from takeroot.metrics import selective


@pytest.mark.parametrize("digits", [8, 1])  # rounding to one digit makes many ties
def test_auroc_equals_scikit_learn(digits):
    generator = np.random.default_rng(0)
    inside = generator.normal(1, 1, 80).round(digits)
    outside = generator.normal(0, 1, 50).round(digits)

    truth = np.repeat([1, 0], [80, 50])
    assert selective.auroc(inside, outside) == pytest.approx(
        roc_auc_score(truth, np.concatenate([inside, outside]))
    )


def test_auroc_of_an_empty_side_is_a_coin():
    assert selective.auroc(np.array([1.0]), np.array([])) == 0.5


def test_fpr95_counts_outside_rows_above_the_score_of_95_percent_of_inside_rows():
    inside = np.arange(100.0)  # 5 rows lie below 5.0

    assert selective.fpr95(inside, np.array([4.0, 5.0, 6.0, 1.0])) == 0.5


def test_the_threshold_turns_away_no_more_than_the_share():
    inside = np.random.default_rng(0).normal(size=1000)

    threshold = selective.threshold_at(inside, 0.02)

    assert (inside < threshold).sum() == 20


def test_a_share_too_small_for_one_row_turns_nobody_away():
    assert selective.threshold_at(np.array([3.0, 1.0, 2.0]), 0.02) == 1.0


def test_the_curve_of_a_case_worked_by_hand():
    curve = selective.risk_coverage(np.array([0.9, 0.5, 0.7, 0.6]), np.array([1, 1, 0, 1]))

    np.testing.assert_allclose(curve.coverage, [0.25, 0.5, 0.75, 1])
    np.testing.assert_allclose(curve.risk, [0, 1 / 2, 1 / 3, 1 / 4])
    np.testing.assert_allclose(curve.confidence, [0.9, 0.7, 0.6, 0.5])


def test_aurc_is_the_mean_risk():
    assert selective.aurc(np.array([0.9, 0.8]), np.array([0, 1])) == pytest.approx(0.75)


rows = st.lists(st.tuples(st.sampled_from([0.2, 0.5, 0.9]), st.booleans()), min_size=1, max_size=30)


@given(rows, st.randoms())
def test_the_order_of_rows_does_not_matter_even_with_ties(rows, random):
    shuffled = random.sample(rows, len(rows))

    before, after = (
        selective.aurc(*(np.array(part) for part in zip(*each, strict=True)))
        for each in (rows, shuffled)
    )
    assert before == pytest.approx(after)
