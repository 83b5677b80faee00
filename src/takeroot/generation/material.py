"""From a recipe to rows of tokens: read, split, encode; every row is used or rejected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from takeroot.bundle.prompts import Prompts
from takeroot.bundle.spec import Generation
from takeroot.data import Example, Reject, Table, split
from takeroot.data.exchanges import (
    Exchange,
    ExchangeColumns,
    Exchanges,
    answers_of,
    exchange_columns,
    exchanges,
)
from takeroot.data.given import given_table, rejects_told
from takeroot.data.table import excerpt
from takeroot.errors import DataError, RecipeError
from takeroot.generation.objective import Row
from takeroot.models.generator import PretrainedGenerator
from takeroot.recipe import Recipe
from takeroot.train import Progress

PROMPT_TOKENS = 512  # most tokens read of a prompt when the recipe does not say
ANSWER_TOKENS = 512  # of an answer, likewise: rows with a longer one are left out
SHORTEST = 16
ROOM = 16  # tokens that an answer may be longer than the longest seen
UNBOUNDED = 1 << 20  # tokens: more than any prompt has
MOST_JUDGED = 1000  # held-out rows that are measured, taken evenly


@dataclass(frozen=True)
class Files:
    """What a recipe's files hold.

    Args:
        train: Rows to learn from.
        test: Rows of the test file, or None.
    """

    train: Exchanges
    test: Exchanges | None


@dataclass(frozen=True)
class Split:
    """Rows to learn from and rows held out."""

    train: tuple[Exchange, ...]
    valid: tuple[Exchange, ...]


@dataclass(frozen=True)
class Material:
    """Rows as tokens.

    Args:
        how: How the model is asked, with the longest answer.
        max_tokens: Most tokens of a prompt.
        train: To learn from: every answer of a chat is one.
        valid: Held out.
        asked: What ``valid`` was made from.
        rejects: Rows left out, by line.
        cut: How many prompts were longer than is read.
    """

    how: Generation
    max_tokens: int
    train: list[Row]
    valid: list[Row]
    asked: tuple[Exchange, ...]
    rejects: tuple[Reject, ...]
    cut: int


def gather(recipe: Recipe, table: Table | None, test: Table | None, progress: Progress) -> Files:
    """The rows of the recipe's files, or of the tables given.

    Raises:
        DataError: If a file cannot be read, or has no such columns.
    """
    train = _exchanges(recipe, given_table(recipe.data, recipe.data.path, table), None, progress)
    for note in train.columns.notes:
        progress.note(note)
    held = None
    if test is not None or recipe.data.test is not None:
        rows = given_table(recipe.data, recipe.data.test, test)
        held = _exchanges(recipe, rows, train.columns, progress)
    return Files(train, held)


def divide(recipe: Recipe, rows: Sequence[Exchange]) -> Split:
    """The rows that are held out, by a hash of what is asked, and the others."""
    examples = [Example(row.shown, None, None, row.source, row.group, row.time) for row in rows]
    numbers = {id(example): place for place, example in enumerate(examples)}
    found = split(
        examples,
        seed=recipe.fit.seed,
        valid_share=recipe.data.valid_share,
        by=recipe.data.split_by,
    )
    train, valid = (
        tuple(rows[numbers[id(each)]] for each in part) for part in (found.train, found.valid)
    )
    return Split(train, valid)


def encode(
    recipe: Recipe, pretrained: PretrainedGenerator, how: Generation, files: Files, parts: Split
) -> Material:
    """The rows as tokens.

    Raises:
        DataError: If no row is left to learn from or to hold out.
    """
    reader = Prompts(pretrained.tokenizer, how, UNBOUNDED)
    sizes = {id(row): _sizes(reader, row) for row in (*parts.train, *parts.valid)}
    longest = _longest_answer(recipe, how)
    kept = Split(
        *(
            tuple(r for r in part if sizes[id(r)][1] <= longest)
            for part in (parts.train, parts.valid)
        )
    )
    if not kept.train or not kept.valid:
        part = "learn from" if not kept.train else "hold out"
        raise DataError(
            f"{files.train.name}: no row to {part} has an answer of at most {longest} tokens; "
            "raise generate.max_new_tokens"
        )
    fitting = [sizes[id(row)] for row in (*kept.train, *kept.valid)]
    how = how.model_copy(update={"max_new_tokens": _limit(recipe, fitting, longest)})
    max_tokens = _most_tokens(recipe, how, fitting)
    prompts = Prompts(pretrained.tokenizer, how, max_tokens)
    spread = np.linspace(0, len(kept.valid) - 1, min(len(kept.valid), MOST_JUDGED))
    asked = tuple(kept.valid[int(place)] for place in spread.round())
    return Material(
        how,
        max_tokens,
        rows_of(prompts, [each for row in kept.train for each in answers_of(row)]),
        rows_of(prompts, asked),
        asked,
        _rejects(files.train, parts, kept, longest),
        sum(prompt > max_tokens for prompt, _ in fitting),
    )


def rows_of(prompts: Prompts, asked: Sequence[Exchange]) -> list[Row]:
    """Some rows as tokens."""
    return [
        Row(prompts.encode(each.prompt).ids, prompts.answer(each.response or "")) for each in asked
    ]


def _sizes(reader: Prompts, row: Exchange) -> tuple[int, int]:
    """Tokens of what is asked, and of the longest answer.

    Raises:
        DataError: If the model cannot be asked so; it names the row.
    """
    try:
        longest = max(len(reader.answer(each.response or "")) for each in answers_of(row))
        return len(reader.encode(row.prompt).ids), longest
    except DataError as error:
        raise DataError(f"{row.source}: {error}") from error


def _longest_answer(recipe: Recipe, how: Generation) -> int:
    """The longest answer a row may have."""
    wanted = recipe.generate.max_new_tokens or ANSWER_TOKENS
    return wanted if how.context is None else min(wanted, how.context // 2)


def _limit(recipe: Recipe, sizes: Sequence[tuple[int, int]], longest: int) -> int:
    """The limit on answers: as asked for, or a little more than the longest of the rows."""
    if recipe.generate.max_new_tokens is not None:
        return longest
    return min(max(answer for _, answer in sizes) + ROOM, longest)


def _most_tokens(recipe: Recipe, how: Generation, sizes: Sequence[tuple[int, int]]) -> int:
    """Most tokens of a prompt: what the longest has, or as asked, as far as positions reach.

    Raises:
        RecipeError: If there are fewer positions than asked for.
    """
    longest = max(prompt for prompt, _ in sizes)
    wanted = recipe.fit.max_tokens or min(max(longest, SHORTEST), PROMPT_TOKENS)
    if how.context is None:
        return wanted
    room = how.context - (how.max_new_tokens if recipe.task == "generate" else 0)
    if recipe.fit.max_tokens is not None and wanted > room:
        raise RecipeError(
            f"fit.max_tokens: {wanted} is more than the {room} that the model has positions for, "
            f"beside answers of {how.max_new_tokens}"
        )
    return min(wanted, room)


def _rejects(file: Exchanges, parts: Split, kept: Split, longest: int) -> tuple[Reject, ...]:
    """Rows left out by the reader, and those whose answer is too long."""
    used = {id(row) for row in (*kept.train, *kept.valid)}
    reason = f"answer of more than {longest} tokens, see generate.max_new_tokens"
    more = [
        Reject(int(row.source.rpartition(":")[2]), reason, excerpt(row.response or ""))
        for row in (*parts.train, *parts.valid)
        if id(row) not in used
    ]
    return tuple(sorted([*file.rejects, *more], key=lambda reject: reject.line))


def _exchanges(
    recipe: Recipe, table: Table, known: ExchangeColumns | None, progress: Progress
) -> Exchanges:
    """The usable rows of a table, by the recipe's columns or the training file's."""
    data = recipe.data
    columns = exchange_columns(
        table,
        str(recipe.task),
        text=data.text if known is None else known.text,
        label=data.label if known is None else known.label,
        group=data.group if known is None else None,
        time=data.time if known is None else None,
    )
    found = exchanges(table, columns, missing=data.missing, max_chars=data.max_chars)
    if told := rejects_told(found):
        progress.note(told)
    return found
