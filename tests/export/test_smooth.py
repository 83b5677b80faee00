from __future__ import annotations

import numpy as np
import pytest

from takeroot.export.smooth import Activation, best_scaling


def activation(values: np.ndarray) -> Activation:
    return Activation(values.min(axis=0), values.max(axis=0), values)


def int8_error(values: np.ndarray, weight: np.ndarray, scales: np.ndarray) -> float:
    """Mean squared error of the int8 product, computed in integers."""
    divided, scaled = values / scales, weight * scales[:, None]
    low, high = min(0.0, divided.min()), max(0.0, divided.max())
    step = (high - low) / 255
    zero = round(-low / step)
    whole = np.clip(np.round(divided / step) + zero, 0, 255).astype(np.int64) - zero
    steps = np.abs(scaled).max(axis=0) / 127
    product = whole @ np.round(scaled / steps).astype(np.int64) * step * steps
    return float(np.square(product - values @ weight).mean())


@pytest.fixture
def outlying() -> tuple[np.ndarray, np.ndarray]:
    """Activations of which two channels are forty times as large as the others, and a weight."""
    random = np.random.default_rng(0)
    values = random.normal(size=(400, 32)).astype(np.float32)
    values[:, :2] *= 40
    return values, random.normal(size=(32, 16)).astype(np.float32)


def test_outliers_cost_far_less_once_they_are_moved(
    outlying: tuple[np.ndarray, np.ndarray],
) -> None:
    values, weight = outlying

    scales = best_scaling(activation(values), [weight]).scales

    assert int8_error(values, weight, scales) < int8_error(values, weight, np.ones(32)) / 4
    assert scales[:2].min() > 2 * scales[2:].max()


def test_the_scales_suit_every_weight_of_the_activation(
    outlying: tuple[np.ndarray, np.ndarray],
) -> None:
    values, weight = outlying
    other = weight[::-1].copy()

    scales = best_scaling(activation(values), [weight, other]).scales

    for each in (weight, other):
        assert int8_error(values, each, scales) < int8_error(values, each, np.ones(32)) / 4


def test_a_dead_channel_is_divided_by_no_zero() -> None:
    values = np.random.default_rng(1).normal(size=(50, 4)).astype(np.float32)
    values[:, 1] = 0
    weight = np.ones((4, 2), np.float32)
    weight[2] = 0

    scales = best_scaling(activation(values), [weight]).scales

    assert np.isfinite(scales).all()
    assert (scales > 0).all()


def test_tokens_of_very_different_size_are_scaled_one_by_one() -> None:
    random = np.random.default_rng(2)
    alike = random.uniform(-1, 1, (400, 32)).astype(np.float32)
    uneven = alike * np.geomspace(0.01, 100, len(alike), dtype=np.float32)[:, None]
    weight = random.normal(size=(32, 16)).astype(np.float32)

    found = best_scaling(activation(uneven), [weight])

    assert not best_scaling(activation(alike), [weight]).by_token
    assert found.by_token
    divided = uneven / found.scales
    lowest = (divided / np.abs(divided).max(axis=1, keepdims=True)).min()
    assert (found.low, found.high) == (pytest.approx(lowest, rel=1e-2), 1.0)
