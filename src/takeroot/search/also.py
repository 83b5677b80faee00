"""Other labelled rows that are learnt along with a task's own: columns of its file, or other files.

They train the encoder and are never judged. A text that judges the task is left out of them, so
that what is measured is still measured on texts that no part of the network has learnt from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from takeroot.data import Columns, Dataset, Example, Table, build, infer, label_names
from takeroot.data.given import given_table
from takeroot.data.texts import input_form
from takeroot.errors import DataError, RecipeError
from takeroot.recipe import AlsoRecipe, Recipe
from takeroot.tasks import TASKS, Task
from takeroot.train import Progress

MOST_TIMES = 4  # as many rows as the task's own: more would leave it a small part of each batch


@dataclass(frozen=True)
class Also:
    """A further task, and its rows.

    Args:
        task: What is learnt from them.
        rows: Labelled.
        weight: How much a row counts beside one of the task that matters.
        name: Where they came from.
    """

    task: Task
    rows: tuple[Example, ...]
    weight: float
    name: str

    def to_json(self) -> dict[str, Any]:
        """What the bundle's evidence says of it."""
        kept = {"name": self.name, "task": self.task.name, "rows": len(self.rows)}
        return kept | {"labels": len(self.task.labels), "weight": self.weight}


def gather(
    recipe: Recipe, train: Dataset, own: Table, test: Dataset | None, progress: Progress
) -> tuple[Also, ...]:
    """The further tasks that a recipe names.

    Args:
        recipe: Says which.
        train: The rows of the task that matters.
        own: The table they were read from.
        test: Its test rows, or None.
        progress: Is told what is learnt from.

    Raises:
        DataError: If a file cannot be read, or nothing can be told apart in it.
        RecipeError: If a task does not share the first one's kind of head.
    """
    found = []
    for number, each in enumerate(recipe.data.also):
        place = f"data.also[{number}]"
        file = own if each.path is None else given_table(recipe.data, each.path, None)
        columns = _columns(each, file, train.columns)
        _check_kind(place, columns, train.columns)
        rows = build(
            file, columns, missing=recipe.data.missing, max_chars=recipe.data.max_chars
        ).examples
        kept = _apart(rows, test)
        labels = label_names(kept)
        if len(labels) < (1 if columns.task == "tag" else 2):
            raise DataError(
                f"{place}: column {columns.label!r} of {file.name} has fewer than two labels"
            )
        task = TASKS[columns.task](labels=labels, name=columns.task)
        name = f"{file.name}, column {columns.label}"
        found.append(Also(task, tuple(kept), each.weight, name))
        progress.note(
            f"{name}: task {columns.task}, {len(kept):,} rows with {len(labels)} labels are learnt "
            f"from as well; {len(rows) - len(kept):,} are left out, as their texts are test texts"
        )
    return tuple(found)


def sample(also: Also, own: int, judged: Sequence[Example], seed: int) -> list[Example]:
    """The rows that a training takes: no text that judges it, and not too many.

    Args:
        also: The further task.
        own: Number of rows of the task that matters.
        judged: Rows that judge it.
        seed: Of which rows are left out where there are too many.
    """
    forms = {input_form(row) for row in judged}
    rows = [row for row in also.rows if input_form(row) not in forms]
    most = MOST_TIMES * own
    if len(rows) <= most:
        return rows
    chosen = np.sort(np.random.default_rng(seed).permutation(len(rows))[:most])
    return [rows[k] for k in chosen]


def _columns(each: AlsoRecipe, file: Table, main: Columns) -> Columns:
    """Which column is what; the text column is the first file's where there is one of that name."""
    text = each.text or (main.text if main.text in file.columns else None)
    second = each.second
    if second is None and main.second in file.columns and each.task == "pair":
        second = main.second
    return infer(file, task=each.task, text=text, label=each.label, second=second)


def _check_kind(place: str, columns: Columns, main: Columns) -> None:
    """Refuse tasks whose heads read something else."""
    if (columns.task == "tag") != (main.task == "tag"):
        raise RecipeError(
            f"{place}: task {columns.task} cannot be learnt along with {main.task}: the one reads "
            "words, the other whole texts"
        )


def _apart(rows: Sequence[Example], test: Dataset | None) -> list[Example]:
    """The rows whose text is no test text."""
    tested = set() if test is None else {input_form(row) for row in test.examples}
    return [row for row in rows if input_form(row) not in tested]
