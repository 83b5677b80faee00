"""``takeroot models``: the pretrained models that come as Python packages."""

from __future__ import annotations

from typing import Annotated

import typer

from takeroot.cli.output import Result, answering, table

app = typer.Typer(help="List or install packaged models.", no_args_is_help=True)


@app.command("list")
@answering
def show() -> Result:
    """List the packaged models and whether they are installed."""
    from takeroot.models import PACKAGED, locate

    found = [
        {
            "name": name,
            "package": packaged.requirement,
            "installed": locate(name) is not None,
            "description": packaged.description,
        }
        for name, packaged in PACKAGED.items()
    ]
    rows = [
        [str(row["name"]), "yes" if row["installed"] else "no", str(row["description"])]
        for row in found
    ]
    return Result({"models": found}, lambda: [table("", ["model", "installed", "what"], rows)])


@app.command()
@answering
def install(
    name: Annotated[str, typer.Argument(help="A name from takeroot models list.")],
) -> Result:
    """Install a packaged model, without the dependencies it declares but does not need."""
    from takeroot import models

    models.install(name)
    folder = models.locate(name)
    return Result(
        {"name": name, "folder": str(folder)}, lambda: [f"{name} is installed in {folder}"]
    )
