"""The texts without labels that a recipe names: read, and held apart from the rows that judge.

A test row among them would be trained on, by a guessed label, and its figure would then be worth
nothing. So they are compared with the test rows, exactly and nearly; a few that came along are left
out, more than that is a mistake and refused.
"""

from __future__ import annotations

from collections.abc import Sequence

from takeroot.data import Dataset, Example, Table, build, infer, near_duplicates
from takeroot.data.columns import Columns
from takeroot.data.duplicates import inputs_of
from takeroot.data.texts import input_form
from takeroot.errors import DataError
from takeroot.recipe import Recipe
from takeroot.train import Progress

NEAR = 0.05  # of a text's characters edited: still the same text; short texts of one source are
# often closer than the data report's 20 %: a quarter of a public test file was
MOST_SHARED = 0.05  # of the test rows: what two files of the same source may share by chance


def reading(recipe: Recipe) -> Recipe:
    """The recipe by which the file is read: lines of text have no columns to be named."""
    if not str(recipe.data.unlabelled).endswith(".txt"):
        return recipe
    data = recipe.data.model_copy(update={"header": None, "format": None})
    return recipe.model_copy(update={"data": data})


def usable(
    recipe: Recipe,
    table: Table,
    columns: Columns,
    labelled: Sequence[Example],
    test: Dataset | None,
    progress: Progress,
) -> tuple[Example, ...]:
    """The file's texts, each once, without those of labelled and test rows.

    Args:
        recipe: Says how missing and long texts are treated.
        table: The file.
        columns: Of the labelled file; its text columns are looked for here.
        labelled: Rows that are learnt from and judged by.
        test: Rows of the test file, or None.
        progress: Is told what was left out.

    Raises:
        DataError: If the file holds the test rows, has no text column, or nothing is left of it.
    """
    rows = _texts(recipe, table, columns)
    known = {input_form(row) for row in labelled}
    first: dict[str, Example] = {}
    for row in rows:
        first.setdefault(input_form(row), row)
    new = [row for form, row in first.items() if form not in known]
    kept = new if test is None else _apart(table.name, new, test)
    if not kept:
        raise DataError(f"{table.name}: every text of it stands in the labelled rows, too")
    progress.note(
        f"{table.name}: {len(kept):,} texts without labels are used; left out are "
        f"{len(rows) - len(new):,} repeated ones and {len(new) - len(kept):,} like a test row"
    )
    return tuple(kept)


def _texts(recipe: Recipe, table: Table, columns: Columns) -> tuple[Example, ...]:
    """The rows without any label; a label column the file has is not looked at."""
    found = infer(
        table,
        task=columns.task,
        text=columns.text if columns.text in table.columns else None,
        second=columns.second,
        labelled=False,
    )
    data = recipe.data
    return build(table, found, missing=data.missing, max_chars=data.max_chars).examples


def _apart(name: str, rows: Sequence[Example], test: Dataset) -> list[Example]:
    """The rows that are like no test row.

    Raises:
        DataError: If they hold more of the test rows than chance explains.
    """
    tested = {input_form(row) for row in test.examples}
    exact = {place for place, row in enumerate(rows) if input_form(row) in tested}
    both = inputs_of([*test.examples, *rows])
    count = len(test.examples)
    pairs = near_duplicates.find(both, share=NEAR, boundary=count)
    near = {pair.second - count for pair in pairs} - exact
    shared = len(exact) + len({p.first for p in pairs if p.second - count in near})
    if shared > MOST_SHARED * count:
        raise DataError(
            f"{name}: holds the test rows: {len(exact):,} of the {count:,} rows of {test.name} "
            f"word for word and {shared - len(exact):,} nearly; take them out of data.unlabelled"
        )
    return [row for place, row in enumerate(rows) if place not in exact | near]
