import numpy as np
import pytest
from sklearn import metrics as reference

from takeroot.metrics import multilabel


@pytest.mark.parametrize("seed", range(3))
def test_scores_equal_those_of_scikit_learn(seed):
    gold, predicted = np.random.default_rng(seed).random((2, 200, 6)) < 0.3

    def f1(average):
        return pytest.approx(
            reference.f1_score(gold, predicted, average=average, zero_division=0.0)
        )

    assert multilabel.macro_f1(gold, predicted) == f1("macro")
    assert multilabel.micro_f1(gold, predicted) == f1("micro")
    assert multilabel.subset_accuracy(gold, predicted) == reference.accuracy_score(gold, predicted)
    assert multilabel.hamming_loss(gold, predicted) == reference.hamming_loss(gold, predicted)


def test_a_label_that_never_occurs_counts_zero():
    table = np.array([[1, 0], [1, 0]])

    assert multilabel.macro_f1(table, table) == 0.5


def test_samples_f1_equals_scikit_learn_where_every_row_has_a_label():
    gold, predicted = np.random.default_rng(0).random((2, 200, 6)) < 0.3
    gold[:, 0] = predicted[:, 0] = True

    expected = reference.f1_score(gold, predicted, average="samples")
    assert multilabel.samples_f1(gold, predicted) == pytest.approx(expected)


def test_a_row_rightly_left_empty_is_wholly_right():
    assert multilabel.samples_f1(np.zeros((1, 3)), np.zeros((1, 3))) == 1.0
