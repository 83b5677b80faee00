"""Real processes, killed with SIGKILL between any two calls of the operating system."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

KILLED = Path(__file__).with_name("killed.py")


def killed(folder: Path, every: int) -> Any:
    done = subprocess.run(
        [sys.executable, str(KILLED), str(folder), str(every)],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def test_a_training_killed_while_it_writes_ends_in_the_same_weights(tmp_path: Path):
    found = killed(tmp_path, every=17)

    assert found["calls"] == found["killed"] == found["same"] >= 10
    assert found["litter"] == 0


@pytest.mark.slow
def test_a_training_killed_at_any_call_ends_in_the_same_weights(tmp_path: Path):
    found = killed(tmp_path, every=1)

    assert found["calls"] == found["killed"] == found["same"] >= 150
    assert found["litter"] == 0
