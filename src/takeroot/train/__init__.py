"""Training: the one loop, the solved head, and what both need."""

from __future__ import annotations

from takeroot.train.loop import History, TrainConfig, train
from takeroot.train.progress import Progress, Silent

__all__ = ["History", "Progress", "Silent", "TrainConfig", "train"]
