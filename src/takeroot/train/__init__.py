"""Training: the one loop, the solved head, and what both need."""

from __future__ import annotations

from takeroot.train.config import History, TrainConfig, configured
from takeroot.train.loop import train
from takeroot.train.objective import Labelled, Objective
from takeroot.train.progress import Progress, Silent

__all__ = [
    "History",
    "Labelled",
    "Objective",
    "Progress",
    "Silent",
    "TrainConfig",
    "configured",
    "train",
]
