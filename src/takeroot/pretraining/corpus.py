"""The documents of all files, once each, in one file on disk: texts need not fit into memory.

Text files are read line by line and written on at once, in the form the served model will read
(``takeroot.bundle.text``), so that what is learnt from is what will be seen. Tables (csv, jsonl,
parquet …) pass through ``takeroot.data.read``, one file in memory at a time. What stays in memory
is eight bytes a document, its hash.

A document that stands twice counts once; which documents are held out follows from the hash alone,
so that more files later leave a document on its side.
"""

from __future__ import annotations

import hashlib
from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from takeroot.bundle.text import normalise, scrub
from takeroot.data import Limits, Table, read
from takeroot.data.lines import read_lines
from takeroot.data.table import value_fault
from takeroot.data.texts import normal_form
from takeroot.errors import DataError
from takeroot.recipe import CorpusRecipe

PLAIN = ("txt", "text")  # suffixes of files with a document a line
MOST_BYTES = 2**50  # of a text file: it is never in memory
BATCH = 1000  # documents handed on at a time


@dataclass
class Account:
    """What became of the rows of one file: rows_in == kept + duplicates + the sum of rejected.

    Args:
        name: The file's name.
        rows_in: Rows, or lines that are not blank.
        kept: Documents that are learnt from or held out.
        duplicates: Documents that stand earlier already, in this file or another.
        rejected: Rows that cannot be used, by reason.
        first: Line and reason of the first of these, or nothing.
    """

    name: str
    rows_in: int = 0
    kept: int = 0
    duplicates: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    first: str = ""

    def reject(self, line: int, reason: str) -> None:
        """Count a row that cannot be used."""
        self.rejected[_kind(reason)] += 1
        self.first = self.first or f"line {line}: {reason}"

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "file": self.name,
            "rows_in": self.rows_in,
            "kept": self.kept,
            "duplicates": self.duplicates,
            "rejected": dict(self.rejected),
        }


@dataclass(frozen=True)
class Corpus:
    """Documents on disk.

    Args:
        path: A text file with one normalised document a line.
        held: Whether each line's document is held out (N,).
        kept: Whether it is the first of its kind (N,).
        accounts: What became of each file's rows.
        sha256: Hash of all documents kept, in order.
    """

    path: Path
    held: np.ndarray
    kept: np.ndarray
    accounts: tuple[Account, ...]
    sha256: str

    def documents(self, held: bool) -> Iterator[list[str]]:
        """The documents that are held out, or the others, in batches."""
        wanted = self.kept & (self.held == held)
        batch: list[str] = []
        with self.path.open(encoding="utf-8", newline="\n") as lines:
            for take, line in zip(wanted.tolist(), lines, strict=True):
                if take:
                    batch.append(line[:-1])
                if len(batch) == BATCH:
                    yield batch
                    batch = []
        if batch:
            yield batch

    def count(self, held: bool) -> int:
        """How many documents are held out, or learnt from."""
        return int((self.kept & (self.held == held)).sum())


def gather(recipe: CorpusRecipe, path: Path) -> Corpus:
    """The documents of a recipe's files, written to ``path``.

    Raises:
        DataError: If no file is named, one cannot be read or has no such column, or nothing is left
            to learn from or to hold out.
    """
    if not recipe.paths:
        raise DataError("data.paths: no file was given")
    hashes, owners = array("Q"), array("I")
    accounts: list[Account] = []
    digest = hashlib.sha256()
    with path.open("w", encoding="utf-8", newline="\n") as out:
        for number, name in enumerate(recipe.paths):
            accounts.append(Account(Path(name).name))
            for text in _usable(Path(name), recipe, accounts[-1]):
                out.write(text + "\n")
                hashes.append(_hash(text))
                owners.append(number)
    numbers, files = np.array(hashes, np.uint64), np.array(owners, np.int64)
    kept = np.zeros(len(numbers), bool)
    kept[np.unique(numbers, return_index=True)[1]] = True
    for number, account in enumerate(accounts):
        own = files == number
        account.kept = int((own & kept).sum())
        account.duplicates = int((own & ~kept).sum())
    digest.update(numbers[kept].tobytes())
    held = numbers < np.uint64(recipe.valid_share * 2**64)
    found = Corpus(path, held, kept, tuple(accounts), digest.hexdigest())
    _check(found)
    return found


def _usable(path: Path, recipe: CorpusRecipe, account: Account) -> Iterator[str]:
    """A file's documents in normal form, the other rows counted."""
    rows = _lines if _format(path, recipe) in PLAIN else _rows
    for line, text, fault in rows(path, recipe, account):
        account.rows_in += 1
        clean = "" if fault else normalise(text, "nfkc")
        if fault or not clean:
            account.reject(line, fault or "no text")
        elif len(clean) > recipe.max_chars:
            account.reject(line, f"longer than {recipe.max_chars:,} characters")
        else:
            yield scrub(clean)


def _lines(path: Path, recipe: CorpusRecipe, _: Account) -> Iterator[tuple[int, str, str]]:
    """Number, text and fault of each line that is not blank, one in memory at a time."""
    limits = replace(_limits(recipe), file_bytes=MOST_BYTES)
    for line in read_lines(path, recipe.encoding, limits):
        if line.over or line.text.strip():
            fault = f"longer than {limits.record_chars:,} characters" if line.over else ""
            yield line.number, line.text, fault or value_fault(line.text, limits)


def _rows(path: Path, recipe: CorpusRecipe, account: Account) -> Iterator[tuple[int, str, str]]:
    """Number, text and fault of each row of a table."""
    table = read(
        path,
        encoding=recipe.encoding,
        limits=_limits(recipe),
        header=recipe.header,
        format=recipe.format,
    )
    columns = _columns(table, recipe)
    for reject in table.rejects:
        yield reject.line, "", reject.reason
    for row in table.rows:
        cells = [row.values.get(column) for column in columns]
        yield row.line, "\n".join(cell for cell in cells if isinstance(cell, str)), ""


def _columns(table: Table, recipe: CorpusRecipe) -> tuple[str, ...]:
    """The text columns of a table.

    Raises:
        DataError: If one is missing, or none is named and it is not clear which it is.
    """
    there = ", ".join(table.columns)
    if recipe.text is not None:
        for name in recipe.text:
            if name not in table.columns:
                raise DataError(f"{table.name}: no column {name!r}; there is: {there}")
        return recipe.text
    if "text" in table.columns:
        return ("text",)
    if len(table.columns) != 1:
        raise DataError(f"{table.name}: name the text columns with data.text; there is: {there}")
    return table.columns


def _limits(recipe: CorpusRecipe) -> Limits:
    usual = Limits()
    return replace(
        usual,
        field_chars=max(usual.field_chars, recipe.max_chars),
        record_chars=max(usual.record_chars, 2 * recipe.max_chars),
    )


def _format(path: Path, recipe: CorpusRecipe) -> str:
    return (recipe.format or path.suffix.removeprefix(".")).lower()


def _hash(text: str) -> int:
    """64 bits of a text's normal form."""
    digest = hashlib.blake2b(normal_form(text).encode("utf-8"), digest_size=8).digest()
    return int.from_bytes(digest, "little")


def _kind(reason: str) -> str:
    """A reason without what differs from row to row."""
    return reason.partition(" at place ")[0]


def _check(corpus: Corpus) -> None:
    """Refuse what nothing can be learnt from."""
    names = ", ".join(account.name for account in corpus.accounts)
    if not corpus.kept.any():
        firsts = [f"{each.name}, {each.first}" for each in corpus.accounts if each.first]
        reason = f"; {firsts[0]}" if firsts else ""
        raise DataError(f"{names}: no document is left to learn from{reason}")
    for held, what in ((True, "is held out; raise data.valid_share"), (False, "is left to train")):
        if not corpus.count(held):
            raise DataError(f"{names}: none of {int(corpus.kept.sum())} documents {what}")
