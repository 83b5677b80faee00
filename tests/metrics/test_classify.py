import numpy as np
import pytest
from sklearn import metrics as reference

from takeroot.metrics import classify


def rows(seed, classes=7, count=500):
    generator = np.random.default_rng(seed)
    return generator.integers(0, classes, (2, count))


@pytest.mark.parametrize("seed", range(3))
def test_scores_equal_those_of_scikit_learn(seed):
    gold, predicted = rows(seed)

    assert classify.accuracy(gold, predicted) == reference.accuracy_score(gold, predicted)
    assert classify.macro_f1(gold, predicted, 7) == pytest.approx(
        reference.f1_score(gold, predicted, average="macro")
    )
    assert classify.balanced_accuracy(gold, predicted, 7) == pytest.approx(
        reference.balanced_accuracy_score(gold, predicted)
    )


def test_each_class_has_the_precision_and_recall_of_scikit_learn():
    gold, predicted = rows(5)

    counts = classify.class_counts(gold, predicted, 7)

    precision, recall, f1, support = reference.precision_recall_fscore_support(gold, predicted)
    np.testing.assert_allclose(counts.precision, precision)
    np.testing.assert_allclose(counts.recall, recall)
    np.testing.assert_allclose(counts.f1, f1)
    np.testing.assert_array_equal(counts.gold, support)


def test_the_confusion_matrix_has_truth_in_rows():
    matrix = classify.confusion(np.array([0, 0, 2]), np.array([0, 1, 1]), 3)

    np.testing.assert_array_equal(matrix, [[1, 1, 0], [0, 0, 0], [0, 1, 0]])


def test_a_class_that_never_occurs_does_not_lower_macro_f1():
    gold = predicted = np.array([0, 1, 1])

    assert classify.macro_f1(gold, predicted, classes=50) == 1.0


def test_a_class_found_only_in_predictions_lowers_macro_f1():
    assert classify.macro_f1(np.array([0, 0]), np.array([0, 1]), 2) == pytest.approx(1 / 3)


def test_the_majority_baseline_is_the_share_of_the_commonest_class():
    assert classify.majority_accuracy(np.array([3, 3, 3, 1])) == 0.75
