"""Minimise a smooth convex function of many float32 numbers: limited-memory BFGS.

Nocedal and Wright 2006, "Numerical Optimization", algorithm 7.4 (two-loop recursion) with the
initial matrix of equation 7.20, times a fixed diagonal that the caller knows. Where we differ: the
line search only backtracks (Armijo), which suffices as a strictly convex function has positive
curvature along every step. scipy's L-BFGS-B keeps its vectors in float64 and cannot be given a
diagonal; on 1.9 million weights it takes three times as long a step and twice as many steps.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np

KEPT = 8  # pairs of step and change of gradient
DECREASE = 1e-4  # share of the slope's promise a step must keep (Armijo)
ROUNDING = 2e-7  # of a float32 sum: a rise by this share is not counted as one
SHORTEST = 1e-4  # step below which the minimum counts as reached

Objective = Callable[[np.ndarray], tuple[float, np.ndarray]]  # value and gradient, shape as given


def minimise(
    objective: Objective,
    start: np.ndarray,
    inverse_curvature: np.ndarray,
    *,
    max_steps: int,
    tolerance: float,
) -> np.ndarray:
    """The place of the minimum, float32, shaped like ``start``.

    Args:
        objective: Gives value and gradient.
        start: Where to begin.
        inverse_curvature: About 1 / second derivative by each number, above 0.
        max_steps: Most steps taken.
        tolerance: Ends when a step lowers the value by less than this share of it.
    """
    pairs: deque[tuple[np.ndarray, np.ndarray, float]] = deque(maxlen=KEPT)
    here: np.ndarray = start.astype(np.float32)
    value, gradient = objective(here)
    for _ in range(max_steps):
        direction = _direction(gradient, pairs, inverse_curvature)
        slope = float(np.vdot(gradient, direction))
        length = 1.0
        while True:
            there = here + np.float32(length) * direction
            new_value, new_gradient = objective(there)
            allowed = value + DECREASE * length * slope + ROUNDING * abs(value)
            if new_value <= allowed:
                break
            length /= 2
            if length < SHORTEST:
                return here
        step, change = there - here, new_gradient - gradient
        curvature = float(np.vdot(step, change))
        if curvature > 0:
            pairs.append((step, change, 1 / curvature))
        lowered = value - new_value
        here, value, gradient = np.asarray(there), new_value, new_gradient
        if lowered <= tolerance * abs(value):
            break
    return here


def _direction(
    gradient: np.ndarray,
    pairs: deque[tuple[np.ndarray, np.ndarray, float]],
    inverse_curvature: np.ndarray,
) -> np.ndarray:
    """The quasi-Newton step: the two-loop recursion."""
    direction: Any = -gradient
    shares = []
    for step, change, weight in reversed(pairs):
        share = weight * float(np.vdot(step, direction))
        direction -= np.float32(share) * change
        shares.append(share)
    direction *= inverse_curvature
    if pairs:
        _, change, weight = pairs[-1]
        scale = weight * float(np.vdot(change, inverse_curvature * change))
        direction *= np.float32(1 / scale)
    for (step, change, weight), share in zip(pairs, reversed(shares), strict=True):
        direction += np.float32(share - weight * float(np.vdot(change, direction))) * step
    return np.asarray(direction)
