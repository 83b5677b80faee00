"""Run the command in this process and read what it leaves."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from takeroot.cli import main


@dataclass(frozen=True)
class Ran:
    """What a command left."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one object on stdout; anything else there is an error."""
        return json.loads(self.out)


@pytest.fixture
def takeroot(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """``takeroot("fit", path)`` runs ``takeroot fit PATH``."""

    def run(*words: object) -> Ran:
        code = main([str(word) for word in words])
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    return run


@pytest.fixture
def shop_csv(tmp_path: Path, shop_rows: list[dict[str, str]]) -> Path:
    """The shop bundle's rows as a file."""
    path = tmp_path / "shop.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["text", "intent"])
        writer.writeheader()
        writer.writerows(shop_rows)
    return path
