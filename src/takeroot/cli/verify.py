"""``takeroot verify``: check a bundle's files against its manifest."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from takeroot.cli.output import Result, answering


@answering
def verify(bundle: Annotated[Path, typer.Argument(help="Bundle folder.")]) -> Result:
    """Check every file of a bundle against its manifest.

    A missing, changed, linked or additional file is an error.
    """
    from takeroot.bundle import open_bundle

    opened = open_bundle(bundle)
    payload = {
        "bundle": str(bundle),
        "name": opened.name,
        "model_sha256": opened.sha256,
        "ok": True,
    }
    return Result(payload, lambda: [f"{bundle}: {opened.name}, whole; model {opened.sha256}"])
