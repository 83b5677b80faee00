"""Curves for MLflow: at ``MLFLOW_TRACKING_URI``, or in ``mlflow.db`` of the run's folder."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from takeroot.errors import require

EXPERIMENT = "takeroot"


class MlflowSink:
    """A run of the experiment ``takeroot``.

    Args:
        out: The run's folder.
        settings: Its parameters.
    """

    def __init__(self, out: Path, settings: Mapping[str, Any]) -> None:
        library = require("mlflow", extra="mlflow")
        out.mkdir(parents=True, exist_ok=True)
        uri = os.environ.get("MLFLOW_TRACKING_URI", f"sqlite:///{(out / 'mlflow.db').resolve()}")
        self._client = library.MlflowClient(tracking_uri=uri)
        known = self._client.get_experiment_by_name(EXPERIMENT)
        number = known.experiment_id if known else self._client.create_experiment(EXPERIMENT)
        self._run = self._client.create_run(number, run_name=out.name).info.run_id
        for name, value in settings.items():
            self._client.log_param(self._run, name, value)

    def figures(self, stage: str, step: int, figures: Mapping[str, float]) -> None:
        """A point on each of the stage's curves."""
        for name, value in figures.items():
            self._client.log_metric(self._run, f"{stage}/{name}", value, step=step)

    def close(self) -> None:
        """End the run."""
        self._client.set_terminated(self._run)
