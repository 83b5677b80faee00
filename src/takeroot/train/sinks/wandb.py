"""Curves for Weights & Biases, kept in ``wandb/`` of the run's folder.

Offline unless ``WANDB_MODE`` says otherwise: ``wandb sync`` sends a run later, if asked to.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from takeroot.errors import require


class WandbSink:
    """A run of the project ``takeroot``.

    Args:
        out: The run's folder.
        settings: Its configuration.
    """

    def __init__(self, out: Path, settings: Mapping[str, Any]) -> None:
        library = require("wandb", extra="wandb")
        out.mkdir(parents=True, exist_ok=True)
        self._run = library.init(
            project="takeroot",
            name=out.name,
            dir=str(out),
            config=dict(settings),
            mode=os.environ.get("WANDB_MODE", "offline"),
            settings=library.Settings(silent=True, save_code=False, x_disable_meta=True),
        )

    def figures(self, stage: str, step: int, figures: Mapping[str, float]) -> None:
        """A point on each of the stage's curves; each stage counts its own steps."""
        values = {f"{stage}/{name}": value for name, value in figures.items()}
        self._run.log(values | {f"{stage}/step": step})

    def close(self) -> None:
        """End the run."""
        self._run.finish()
