"""Learning-rate schedules: a linear rise, then a decay to 0, as shares of the highest rate.

The decay is linear, or half a cosine wave (Loshchilov & Hutter 2017, arXiv:1608.03983, equation 5
without restarts).
"""

from __future__ import annotations

import math
from collections.abc import Callable

SCHEDULES: dict[str, Callable[[float], float]] = {
    "linear": lambda share: 1 - share,
    "cosine": lambda share: 0.5 * (1 + math.cos(math.pi * share)),
}


def rate(step: int, total: int, warmup_share: float, schedule: str) -> float:
    """The share of the highest rate, above 0 and at most 1.

    Args:
        step: Number of the step, from 0.
        total: How many steps there are.
        warmup_share: Share of them over which the rate rises; at least one step.
        schedule: An entry of ``SCHEDULES``.
    """
    warm = max(1, round(total * warmup_share))
    if step < warm:
        return (step + 1) / warm
    return SCHEDULES[schedule]((step - warm) / max(1, total - warm))
