"""From a recipe to rows: read, name columns, check, split; refuse what cannot be learnt from."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from tokenizers import Tokenizer

from takeroot.data import (
    Columns,
    Dataset,
    Example,
    Table,
    build,
    infer,
    label_names,
    names_of,
)
from takeroot.data.check import DataReport, check
from takeroot.data.given import given_table, rejects_told
from takeroot.data.lengths import token_use
from takeroot.data.split import split
from takeroot.errors import DataError
from takeroot.recipe import Recipe
from takeroot.search import also, unlabelled
from takeroot.search.also import Also
from takeroot.search.work import FEW_ROWS, Part, cross_validation
from takeroot.train import Progress

SHORTEST, LONGEST = 16, 256  # tokens read of a text when the recipe does not say
ENOUGH_JUDGED = 3000  # rows that tell candidates apart: one point is two standard errors
MOST_REPEATS = 3  # held-out parts towards that number
SAMPLE = 2000  # texts looked at to choose how many tokens are read


@dataclass(frozen=True)
class Material:
    """What a recipe's files hold.

    Args:
        train: The labelled rows.
        test: The rows of the test file, or None.
        labels: Every label of the labelled rows, sorted.
        unlabelled: Texts without labels that may be learnt from as well.
        also: Further tasks that are learnt along with the rows' own.
    """

    train: Dataset
    test: Dataset | None
    labels: tuple[str, ...]
    unlabelled: tuple[Example, ...] = ()
    also: tuple[Also, ...] = ()

    @property
    def columns(self) -> Columns:
        """Which column is what."""
        return self.train.columns


def gather(recipe: Recipe, table: Table | None, test: Table | None, progress: Progress) -> Material:
    """Read the recipe's files (or take the tables given) and check that they can be learnt from.

    Raises:
        DataError: If there are fewer than two classes, a class of the test file is unknown, or a
            file cannot be read.
    """
    own = table_of(recipe, recipe.data.path, table)
    train = dataset_of(recipe, own, None, progress)
    for note in train.columns.notes:
        progress.note(note)
    held = None
    if test is not None or recipe.data.test is not None:
        held = dataset_of(recipe, table_of(recipe, recipe.data.test, test), train.columns, progress)
    labels = label_names(train.examples)
    _check_labels(train, labels)
    _check_meanings(recipe, train, labels)
    if held is not None:
        check_test(held, labels)
    more: tuple[Example, ...] = ()
    if recipe.data.unlabelled is not None:
        file = table_of(unlabelled.reading(recipe), recipe.data.unlabelled, None)
        more = unlabelled.usable(recipe, file, train.columns, train.examples, held, progress)
    return Material(train, held, labels, more, also.gather(recipe, train, own, held, progress))


def parts_of(recipe: Recipe, rows: tuple[Example, ...], task: str) -> tuple[Part, ...]:
    """Folds where rows are few; else up to three held-out parts; one by group, by time or for tag.

    Raises:
        DataError: If no row can be held out.
    """
    by, seed, share = recipe.data.split_by, recipe.fit.seed, recipe.data.valid_share
    whole = by is not None or task == "tag"
    if len(rows) < FEW_ROWS and not whole:
        parts = cross_validation(rows, seed)
        if not parts:
            raise DataError(f"{rows[0].source}: no row can be held out: all texts are the same")
        return parts
    wanted = 1 if whole else int(np.ceil(ENOUGH_JUDGED / (share * len(rows))))
    number = {id(row): place for place, row in enumerate(rows)}
    parts = ()
    for repeat in range(min(wanted, MOST_REPEATS, int(1 / share))):
        found = split(rows, seed=seed, valid_share=share, by=by, repeat=repeat)
        train, valid = (
            np.array([number[id(row)] for row in part], np.int64)
            for part in (found.train, found.valid)
        )
        parts += (Part(train, valid),)
    return parts


def tokens_to_read(
    recipe: Recipe, tokenizer: Tokenizer, rows: tuple[Example, ...], longest: int
) -> int:
    """How many tokens of a text the model reads: what nearly all texts have, or as asked."""
    if recipe.fit.max_tokens is not None:
        return min(recipe.fit.max_tokens, longest)
    use = token_use(rows[:: max(1, len(rows) // SAMPLE)], tokenizer, None)
    wanted = int(np.ceil(use.longest / 8) * 8)
    return min(max(wanted, SHORTEST), LONGEST, longest)


def unknown_share(tokenizer: Tokenizer, rows: tuple[Example, ...]) -> float:
    """Share of the rows' tokens that the tokenizer does not know."""
    return token_use(rows[:: max(1, len(rows) // SAMPLE)], tokenizer, None).unknown_share


def report_of(
    material: Material,
    tokenizer: Tokenizer | None,
    max_tokens: int,
    probabilities: np.ndarray | None,
) -> DataReport:
    """The data report, with label errors where out-of-fold probabilities are at hand."""
    return check(
        material.train,
        test=material.test,
        probabilities=probabilities,
        tokenizer=tokenizer,
        max_tokens=max_tokens if tokenizer is not None else None,
    )


def table_of(recipe: Recipe, path: str | None, table: Table | None) -> Table:
    """The given table, or the file's."""
    return given_table(recipe.data, path, table)


def dataset_of(recipe: Recipe, table: Table, known: Columns | None, progress: Progress) -> Dataset:
    """The usable rows of a table, by the recipe's columns or the training file's."""
    data = recipe.data
    columns = infer(
        table,
        task=recipe.task if known is None else known.task,
        text=data.text if known is None else known.text,
        label=data.label if known is None else known.label,
        second=data.second if known is None else known.second,
        group=data.group if known is None else None,
        time=data.time if known is None else None,
    )
    if known is not None:
        columns = replace(columns, separator=known.separator)
    found = build(table, columns, missing=data.missing, max_chars=data.max_chars)
    if told := rejects_told(found):
        progress.note(told)
    return found


def _check_labels(train: Dataset, labels: tuple[str, ...]) -> None:
    """Refuse rows from which nothing can be told apart."""
    need = 1 if train.columns.task == "tag" else 2
    if len(labels) < need:
        found = f"only {labels[0]!r}" if labels else "none"
        raise DataError(
            f"{train.name}: column {train.columns.label!r} holds {found}; "
            f"need {need} or more different labels"
        )


def _check_meanings(recipe: Recipe, train: Dataset, labels: tuple[str, ...]) -> None:
    """Refuse what is said of a label that no row has."""
    for name in recipe.data.labels or {}:
        if name not in labels:
            raise DataError(
                f"data.labels: {name!r} is no label of {train.name}; labels are: {listed(labels)}"
            )


def listed(labels: tuple[str, ...]) -> str:
    """The first labels, as an error shows them."""
    return ", ".join(labels[:20]) + (", …" if len(labels) > 20 else "")


def check_test(test: Dataset, labels: tuple[str, ...]) -> None:
    """Refuse test rows whose label no training row has."""
    known = set(labels)
    for example in test.examples:
        for name in names_of(example):
            if name not in known:
                raise DataError(
                    f"{example.source}: label {name!r} is in no training row; "
                    f"known: {listed(labels)}"
                )
