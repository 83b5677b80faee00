"""Curves for TensorBoard, in ``tensorboard/`` of the run's folder.

``tensorboard --logdir runs`` shows the runs side by side.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any


class TensorBoardSink:
    """Writes event files.

    Args:
        out: The run's folder.
        settings: Shown as text.
    """

    def __init__(self, out: Path, settings: Mapping[str, Any]) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(out / "tensorboard"))
        rows = "".join(f"| {name} | {value} |\n" for name, value in settings.items())
        self._writer.add_text("settings", f"| setting | value |\n|---|---|\n{rows}")

    def figures(self, stage: str, step: int, figures: Mapping[str, float]) -> None:
        """A point on each of the stage's curves."""
        for name, value in figures.items():
            self._writer.add_scalar(f"{stage}/{name}", value, step)

    def close(self) -> None:
        """Write what is left."""
        self._writer.close()
