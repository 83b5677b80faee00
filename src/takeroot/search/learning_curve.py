"""What more labels would buy: the score of cheap models trained on parts of the rows.

The error of a model falls about as a power of the number of rows (Hestness et al. 2017,
arXiv:1712.00409); a line through the logarithms says what the next rows bring.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from takeroot.search.work import Part
from takeroot.tasks import Task

SHARES = (0.125, 0.25, 0.5, 1.0)
MORE_ROWS = 200

Score = Callable[[np.ndarray, np.ndarray], float]  # training rows, judged rows


def learning_curve(task: Task, parts: tuple[Part, ...], score: Score, seed: int) -> dict[str, Any]:
    """Points and a sentence, as the report draws them.

    Args:
        task: Names the metric.
        parts: Up to three are used; their spread is the band.
        score: Trains on some rows and scores others.
        seed: Of the parts of the rows.
    """
    random = np.random.default_rng(seed)
    points = []
    for share in SHARES:
        found = []
        for part in parts[:3]:
            rows = random.permutation(part.train)[: _taken(part, share)]
            found.append(score(np.sort(rows), part.judge))
        mean = float(np.mean(found))
        spread = max(float(np.std(found)), _sampling(mean, parts))
        points.append(
            {
                "rows": _taken(parts[0], share),
                "score": mean,
                "low": max(0.0, mean - 1.96 * spread),
                "high": min(1.0, mean + 1.96 * spread),
            }
        )
    return {"metric": task.metric, "points": points, "sentence": _sentence(points)}


def _taken(part: Part, share: float) -> int:
    """How many of a part's training rows a share is, 2 at least where there are as many."""
    return min(len(part.train), max(2, round(len(part.train) * share)))


def _sampling(score: float, parts: tuple[Part, ...]) -> float:
    """Standard error of a share measured on the judged rows."""
    count = sum(len(part.judge) for part in parts[:3])
    return float(np.sqrt(max(score * (1 - score), 1e-6) / max(count, 1)))


def _sentence(points: list[dict[str, float]]) -> str:
    """What the next rows would bring, by the fitted power law."""
    if points[0]["rows"] == points[-1]["rows"]:
        return "There are too few rows to say what more labels would buy."
    rows = np.log([point["rows"] for point in points])
    errors = np.log([max(1 - point["score"], 1e-3) for point in points])
    slope, level = np.polyfit(rows, errors, 1)
    if slope >= 0:
        return "More labels of the same kind would not help: the curve is flat."
    now = points[-1]["rows"]
    before, after = (np.exp(level + slope * np.log(count)) for count in (now, now + MORE_ROWS))
    gain = float(before - after)
    points_gained = f"about {100 * gain:.1f} points" if gain >= 0.001 else "less than 0.1 points"
    return f"{MORE_ROWS} more labels would buy {points_gained}."
