"""Networks of each task on a random encoder, their graphs, and texts to run them on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from takeroot.bundle.packing import flatten, pack
from takeroot.tasks import TASKS, Encoded


@pytest.fixture(scope="session")
def rows() -> list[Encoded]:
    """Twenty texts of 3 to 12 tokens."""
    random = np.random.default_rng(0)
    found = []
    for number in range(20):
        words = random.integers(5, 90, 1 + number % 10).tolist()
        ids = [2, *words, 3]
        found.append(Encoded(ids, [0] * len(ids), range(1, len(ids) - 1), 0))
    return found


@pytest.fixture
def task_model(tiny_model: Callable[..., Any]) -> Callable[..., Any]:
    """Builds the network of a task by its name, with three labels."""

    def build(name: str, kind: str = "bert") -> Any:
        return tiny_model(TASKS[name](labels=("a", "b", "c")), kind)

    return build


@pytest.fixture(scope="session")
def feeds() -> Callable[..., dict[str, np.ndarray]]:
    """A graph's inputs for some rows in one pack."""

    def build(some: list[Encoded], *, pooled: bool, offset: int = 0) -> dict[str, np.ndarray]:
        flat = flatten([row.ids for row in some], [row.types for row in some], offset)
        return pack(flat, pooled=pooled)

    return build
