"""Files to read, and the real data sets where they are."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

DATA = Path(
    os.environ.get("TAKEROOT_DATA", Path(__file__).resolve().parents[3] / "shared" / "data")
)


@pytest.fixture
def file(tmp_path: Path) -> Callable[[str, str | bytes], Path]:
    """Writes a file and gives its path; text is written as UTF-8 as it stands."""

    def write(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


@pytest.fixture
def real() -> Callable[[str], Path]:
    """Gives the path of a real data file; skips where it is not there."""

    def find(name: str) -> Path:
        path = DATA / name
        if not path.exists():
            pytest.skip(f"{name} is not in the data folder (TAKEROOT_DATA or ../shared/data)")
        return path

    return find
