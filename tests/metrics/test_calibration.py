import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, special
from sklearn.metrics import log_loss

from takeroot.metrics import calibration


def overconfident(seed=0, count=400, classes=5, factor=3.0):
    generator = np.random.default_rng(seed)
    logits = generator.normal(size=(count, classes))
    gold = np.array([generator.choice(classes, p=special.softmax(row)) for row in logits])
    return logits * factor, gold


def test_softmax_equals_scipy_and_does_not_overflow():
    logits = np.array([[1000.0, 1001.0, -5.0], [0.0, 0.0, 0.0]])

    np.testing.assert_allclose(calibration.softmax(logits), special.softmax(logits, axis=1))


def test_sigmoid_equals_scipy_and_does_not_overflow():
    logits = np.array([-800.0, -2.0, 0.0, 3.0, 800.0])

    np.testing.assert_allclose(calibration.sigmoid(logits), special.expit(logits), atol=1e-15)


def test_nll_equals_the_log_loss_of_scikit_learn():
    logits, gold = overconfident()

    assert calibration.nll(logits, gold) == pytest.approx(
        log_loss(gold, special.softmax(logits, axis=1))
    )


def test_the_temperature_is_the_minimum_that_scipy_finds():
    logits, gold = overconfident()

    found = calibration.fit_temperature(logits, gold)

    expected = optimize.minimize_scalar(
        lambda t: calibration.nll(logits / t, gold), bounds=(0.05, 20), method="bounded"
    )
    assert found == pytest.approx(expected.x, rel=1e-4)
    assert found == pytest.approx(3.0, rel=0.15)  # logits were made three times too large


def test_the_sigmoid_temperature_is_the_minimum_that_scipy_finds():
    generator = np.random.default_rng(0)
    logits = generator.normal(size=(300, 4))
    gold = generator.random((300, 4)) < special.expit(logits)

    found = calibration.fit_sigmoid_temperature(logits * 2, gold)

    expected = optimize.minimize_scalar(
        lambda t: calibration.binary_nll(2 * logits / t, gold), bounds=(0.05, 20), method="bounded"
    )
    assert found == pytest.approx(expected.x, rel=1e-4)


def test_rows_that_are_all_right_stop_at_the_lowest_temperature():
    assert calibration.fit_temperature(np.eye(3), np.arange(3)) == calibration.LOWEST


def test_rows_that_are_all_wrong_stop_at_the_highest_temperature():
    assert calibration.fit_temperature(np.eye(3), np.array([1, 2, 0])) == calibration.HIGHEST


def test_no_rows_leave_the_temperature_at_one():
    assert calibration.fit_temperature(np.zeros((0, 3)), np.zeros(0, int)) == 1.0


def test_scaling_lowers_the_calibration_error_of_overconfident_logits():
    logits, gold = overconfident()
    temperature = calibration.fit_temperature(logits, gold)

    def error(scaled):
        probabilities = calibration.softmax(scaled)
        return calibration.ece(probabilities.max(axis=1), probabilities.argmax(axis=1) == gold)

    assert error(logits / temperature) < 0.5 * error(logits)


def test_calibration_error_of_a_case_worked_by_hand():
    confidence = np.array([0.95, 0.95, 0.55, 0.55])
    correct = np.array([1, 1, 1, 0])

    # gaps |0.95 - 1| and |0.55 - 0.5|, two rows of four each
    assert calibration.ece(confidence, correct, bins=10) == pytest.approx(0.05)


def test_a_bin_holds_its_upper_edge():
    parts = calibration.reliability(np.array([0.0, 0.5, 1.0]), np.array([0, 1, 1]), bins=2)

    assert [(part.low, part.high, part.count) for part in parts] == [(0, 0.5, 2), (0.5, 1, 1)]


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=50))
def test_every_row_is_in_exactly_one_bin_and_the_error_is_a_share(rows):
    confidence, correct = (np.array(column) for column in zip(*rows, strict=True))

    assert sum(part.count for part in calibration.reliability(confidence, correct)) == len(rows)
    assert 0 <= calibration.ece(confidence, correct) <= 1
