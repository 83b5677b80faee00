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

Pretraining = Annotated[
    bool, typer.Option("--pretrain", help="A recipe for takeroot pretrain, not for fit.")
]


@app.command()
@answering
def render(
    path: Annotated[Path | None, typer.Argument(metavar="[RECIPE]", help="YAML file.")] = None,
    changes: Changes = None,
    pretrain: Pretraining = False,
) -> Result:
    """Print every setting, defaults filled in."""
    from takeroot import recipe  # pydantic takes longer than --help may

    kind: type[recipe.Recipe | recipe.PretrainRecipe] = (
        recipe.PretrainRecipe if pretrain else recipe.Recipe
    )
    if path:
        read = recipe.load_kind(kind, path, changes or [])
    else:
        read = recipe.from_dict_of(kind, {}, changes or [])
    return Result(read.model_dump(mode="json"), lambda: [recipe.render(read).rstrip()])


@app.command()
@answering
def schema(pretrain: Pretraining = False) -> Result:
    """Print the JSON Schema of a recipe, for editors."""
    import json

    from takeroot import recipe

    made = recipe.schema(recipe.PretrainRecipe if pretrain else recipe.Recipe)
    return Result(made, lambda: [json.dumps(made, indent=2)])
