"""The recipe: every setting of a run, read from YAML or a dict, checked as a whole.

Relative paths in a recipe file count from that file's folder; those on the command line and in
dicts count from the working folder.
"""

from takeroot.recipe.load import from_dict, load, render, schema
from takeroot.recipe.models import (
    AbstainRecipe,
    CompressRecipe,
    DataRecipe,
    Fill,
    FitRecipe,
    OutputRecipe,
    Preset,
    Recipe,
    ServeRecipe,
    Task,
    keys,
)

__all__ = [
    "AbstainRecipe",
    "CompressRecipe",
    "DataRecipe",
    "Fill",
    "FitRecipe",
    "OutputRecipe",
    "Preset",
    "Recipe",
    "ServeRecipe",
    "Task",
    "from_dict",
    "keys",
    "load",
    "render",
    "schema",
]
