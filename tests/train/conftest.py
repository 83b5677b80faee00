"""A training that takes milliseconds, for what is tested at every step of one."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

KILLED = Path(__file__).with_name("killed.py")


@pytest.fixture(scope="session")
def toy() -> SimpleNamespace:
    """Objective, rows and settings of the training in killed.py: eight rows, four steps."""
    return SimpleNamespace(**runpy.run_path(str(KILLED)))


@pytest.fixture(scope="session")
def toy_model() -> Callable[[], Any]:
    """Builds its network, the same each time."""

    def build() -> nn.Module:
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(1, 8), nn.Dropout(), nn.Linear(8, 1))

    return build
