"""The libraries below us leave nothing in the home folder and say nothing to anybody."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def test_onnxruntime_keeps_no_records_of_its_own(tmp_path: Path) -> None:
    left_out = ("XDG_", "ORT_", "CI", "GITHUB_")  # under some of these it keeps none anyway
    environment = {name: each for name, each in os.environ.items() if not name.startswith(left_out)}

    subprocess.run(
        [sys.executable, "-c", "import takeroot, onnxruntime"],
        env=environment | {"HOME": str(tmp_path)},
        check=True,
    )

    assert not list(tmp_path.rglob("*"))
