"""From a labelled file to a small, verified text model that runs on the CPUs you have.

Only names are listed here; each is imported when it is first used, so that ``import takeroot``
costs nothing and never loads torch.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from takeroot.api import Model, fit, load, pretrain
    from takeroot.errors import TakerootError

# onnxruntime, when imported, writes a device id and events into the home folder and may send them;
# nothing here sends or leaves anything. Before any import of it, and for worker processes, too.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__all__ = ["Model", "TakerootError", "__version__", "fit", "load", "pretrain"]

_HOMES = {
    "Model": "takeroot.api",
    "fit": "takeroot.api",
    "load": "takeroot.api",
    "pretrain": "takeroot.api",
    "TakerootError": "takeroot.errors",
}


def __getattr__(name: str) -> Any:
    """The public name, imported on first use."""
    if name == "__version__":
        from importlib.metadata import version

        return version("takeroot")
    if name not in _HOMES:
        raise AttributeError(f"module 'takeroot' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
