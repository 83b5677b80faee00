"""``takeroot recipe``: show a recipe in full, or its JSON Schema."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from takeroot.cli.output import Result, answering

app = typer.Typer(help="Show a recipe in full, or its JSON Schema.", no_args_is_help=True)
Changes = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change one setting, such as fit.seed=7."),
]


@app.command()
@answering
def render(
    path: Annotated[Path | None, typer.Argument(metavar="[RECIPE]", help="YAML file.")] = None,
    changes: Changes = None,
) -> Result:
    """Print every setting, defaults filled in."""
    from takeroot import recipe  # pydantic takes longer than --help may

    read = recipe.load(path, changes or []) if path else recipe.from_dict({}, changes or [])
    return Result(read.model_dump(mode="json"), lambda: [recipe.render(read).rstrip()])


@app.command()
@answering
def schema() -> Result:
    """Print the JSON Schema of a recipe, for editors."""
    import json

    from takeroot import recipe

    made = recipe.schema()
    return Result(made, lambda: [json.dumps(made, indent=2)])
