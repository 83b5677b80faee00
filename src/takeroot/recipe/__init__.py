"""The recipe: every setting of a run, read from YAML or a dict, checked as a whole.

Relative paths in a recipe file count from that file's folder; those on the command line and in
dicts count from the working folder.
"""

from takeroot.recipe.load import from_dict, from_dict_of, load, load_kind, render, schema
from takeroot.recipe.models import (
    SCRATCH,
    WRITING,
    AbstainRecipe,
    AdapterRecipe,
    AlsoRecipe,
    CompressRecipe,
    DataRecipe,
    Fill,
    FitRecipe,
    GenerateRecipe,
    OutputRecipe,
    Preset,
    Recipe,
    ScratchRecipe,
    ServeRecipe,
    Task,
    keys,
)
from takeroot.recipe.pretraining import (
    CorpusRecipe,
    NetworkRecipe,
    PretrainRecipe,
    TokenizerRecipe,
    TrainingRecipe,
)

__all__ = [
    "SCRATCH",
    "WRITING",
    "AbstainRecipe",
    "AdapterRecipe",
    "AlsoRecipe",
    "CompressRecipe",
    "CorpusRecipe",
    "DataRecipe",
    "Fill",
    "FitRecipe",
    "GenerateRecipe",
    "NetworkRecipe",
    "OutputRecipe",
    "Preset",
    "PretrainRecipe",
    "Recipe",
    "ScratchRecipe",
    "ServeRecipe",
    "Task",
    "TokenizerRecipe",
    "TrainingRecipe",
    "from_dict",
    "from_dict_of",
    "keys",
    "load",
    "load_kind",
    "render",
    "schema",
]
