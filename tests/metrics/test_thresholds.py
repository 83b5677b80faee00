import numpy as np
import pytest
from sklearn.metrics import f1_score

from takeroot.metrics.multilabel import macro_f1
from takeroot.metrics.thresholds import common_threshold, fit_thresholds


def calibrated(seed=0, count=2000, labels=6):
    generator = np.random.default_rng(seed)
    probabilities = generator.beta(0.4, 2.0, (count, labels))
    return probabilities, generator.random((count, labels)) < probabilities


def test_without_prior_each_label_gets_the_best_f1_of_all_cuts():
    probabilities, gold = calibrated(count=60, labels=3)

    thresholds = fit_thresholds(probabilities, gold, prior=0)

    for label in range(3):
        scores, truth = probabilities[:, label], gold[:, label]
        best = max(f1_score(truth, scores >= cut) for cut in scores)
        assert f1_score(truth, scores >= thresholds[label]) == pytest.approx(best)


def test_calibrated_probabilities_get_half_their_best_f1():
    probabilities, gold = calibrated(count=200_000, labels=1)

    threshold = fit_thresholds(probabilities, gold)[0]

    best = f1_score(gold[:, 0], probabilities[:, 0] >= threshold)
    assert threshold == pytest.approx(best / 2, abs=0.02)  # Lipton et al. 2014, theorem 1


def test_a_label_with_one_positive_row_stays_near_the_common_threshold():
    probabilities, gold = calibrated()
    gold[:, 0] = False
    gold[np.argmax(probabilities[:, 0]), 0] = True

    common = common_threshold(probabilities, gold)

    assert fit_thresholds(probabilities, gold)[0] == pytest.approx(common, abs=0.15)
    assert fit_thresholds(probabilities, gold, prior=0)[0] > 0.6


def test_a_label_without_positive_rows_gets_the_common_threshold():
    probabilities, gold = calibrated()
    gold[:, 2] = False

    assert fit_thresholds(probabilities, gold)[2] == pytest.approx(
        common_threshold(probabilities, gold)
    )


def test_thresholds_beat_one_half_on_rows_they_were_not_fitted_to():
    fitted, held_out = calibrated(0), calibrated(1)

    thresholds = fit_thresholds(*fitted)

    probabilities, gold = held_out
    assert macro_f1(gold, probabilities >= thresholds) > macro_f1(gold, probabilities >= 0.5) + 0.05


def test_no_rows_give_one_half():
    assert fit_thresholds(np.zeros((0, 3)), np.zeros((0, 3))) == pytest.approx([0.5] * 3)
