"""``takeroot init``: a first recipe for a data file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from takeroot.cli.columns import Encoding, Format, Header, how
from takeroot.cli.output import Result, answering


@answering
def init(
    data: Annotated[Path, typer.Argument(help="Labelled file.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="New recipe.")] = Path("recipe.yaml"),
    header: Header = None,
    encoding: Encoding = None,
    form: Format = None,
) -> Result:
    """Write a short, commented recipe for a labelled file."""
    from takeroot import starter

    made = starter.write(data, out, **how(header, encoding, form))
    payload = {"recipe": str(out), "task": made.task, "notes": list(made.notes)}
    lines = [*made.notes, f"{out}: edit it if you like, then run: takeroot fit {out}"]
    return Result(payload, lambda: lines)
