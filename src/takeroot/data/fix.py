"""Decide what to leave out of a data file or change in it, so that a person can review it first.

Nothing is deleted that is not listed as a ``Change``; the original file is not touched.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from takeroot.data import near_duplicates
from takeroot.data.classes import class_counts, spelling_changes
from takeroot.data.columns import Columns
from takeroot.data.dataset import Dataset, names_of
from takeroot.data.duplicates import inputs_of, same_input
from takeroot.data.example import Example, Span
from takeroot.data.table import Row, Table
from takeroot.data.texts import input_form, is_placeholder
from takeroot.data.write import write_csv

COLUMNS = ("line", "action", "kind", "reason")


@dataclass(frozen=True, slots=True)
class Change:
    """One row that is left out or relabelled.

    Args:
        line: Line of the file where the row starts.
        action: ``drop`` leaves the row out; ``relabel`` changes its label.
        kind: Why, in one word, as the check names it.
        reason: Why, in words.
        source: The row, as ``train.csv:12``.
        label: The new label in the form it has in the file (relabel only).
    """

    line: int
    action: Literal["drop", "relabel"]
    kind: str
    reason: str
    source: str
    label: Any = None


def plan(
    table: Table, dataset: Dataset, *, test: Dataset | None = None, near: bool = False
) -> tuple[Change, ...]:
    """What should be changed, by line; at most one drop and one relabelling a row.

    Left out are rows that cannot be used, placeholders, rows that stand in ``test``, later copies
    of a row, and rows whose text stands with a more frequent other label (all of them on a tie).
    Labels that differ in case or blanks only get the commonest spelling.

    Args:
        table: What was read.
        dataset: What was built from it.
        test: Test rows, which must not be trained on.
        near: Leave near duplicates of an earlier row with the same label out, too.
    """
    relabelled, examples = _spellings(table, dataset)
    drops: dict[str, Change] = {}
    for reject in dataset.rejects:
        source = f"{dataset.name}:{reject.line}"
        drops[source] = Change(reject.line, "drop", "rejected", reject.reason, source)
    found = _placeholders(examples) + ([] if test is None else _leaked(examples, test))
    _add(drops, found)
    _add(drops, _repeated([e for e in examples if e.source not in drops]))
    if near:
        _add(drops, _near([e for e in examples if e.source not in drops]))
    kept = [change for change in relabelled if change.source not in drops]
    return tuple(sorted([*drops.values(), *kept], key=lambda change: change.line))


def apply(table: Table, columns: Columns, changes: Sequence[Change]) -> list[Row]:
    """The table's rows without those that are dropped, with new labels where they are changed."""
    dropped = {change.line for change in changes if change.action == "drop"}
    labels = {change.line: change.label for change in changes if change.action == "relabel"}
    rows = [row for row in table.rows if row.line not in dropped]
    if columns.label is None:
        return rows
    return [
        Row(row.line, {**row.values, columns.label: labels[row.line]})
        if row.line in labels
        else row
        for row in rows
    ]


def write_changes(changes: Sequence[Change], path: Path) -> None:
    """Write the changes as csv, one a row."""
    write_csv(path, COLUMNS, ((c.line, c.action, c.kind, c.reason) for c in changes))


def _add(drops: dict[str, Change], found: Sequence[Change]) -> None:
    for change in found:
        drops.setdefault(change.source, change)


def _drop(example: Example, kind: str, reason: str) -> Change:
    line = int(example.source.rpartition(":")[2])
    return Change(line, "drop", kind, reason, example.source)


def _placeholders(examples: Sequence[Example]) -> list[Change]:
    return [
        _drop(example, "placeholder", f"text is {example.text.strip()!r}")
        for example in examples
        if is_placeholder(example.text)
    ]


def _leaked(examples: Sequence[Example], test: Dataset) -> list[Change]:
    known = {input_form(example): example.source for example in test.examples}
    return [
        _drop(example, "leakage", f"same as {known[key]}")
        for example in examples
        if (key := input_form(example)) in known
    ]


def _repeated(examples: Sequence[Example]) -> list[Change]:
    """Later copies, and rows whose label is not the commonest of their text."""
    changes: list[Change] = []
    for group in same_input(examples):
        counts = Counter(example.label for example in group)
        (label, most), *others = counts.most_common()
        tied = bool(others) and others[0][1] == most
        first = next(example for example in group if example.label == label)
        for example in group:
            if tied:
                reason = f"the text stands as often with another label, see {first.source}"
                changes.append(_drop(example, "conflicting_labels", reason))
            elif example.label != label:
                reason = f"the text stands {most} times with the label of {first.source}"
                changes.append(_drop(example, "conflicting_labels", reason))
            elif example is not first:
                changes.append(_drop(example, "duplicates", f"same as {first.source}"))
    return changes


def _near(examples: Sequence[Example]) -> list[Change]:
    pairs = near_duplicates.find(inputs_of(examples))
    return [
        _drop(
            examples[pair.second],
            "near_duplicates",
            f"{pair.distance:.0%} from {examples[pair.first].source}",
        )
        for pair in pairs
        if examples[pair.first].label == examples[pair.second].label
    ]


def _spellings(table: Table, dataset: Dataset) -> tuple[list[Change], list[Example]]:
    """Relabellings to the commonest spelling, and the examples with them (not for entities)."""
    spelled = spelling_changes(class_counts(dataset.examples))
    columns = dataset.columns
    if not spelled or columns.label is None or columns.task == "tag":
        return [], list(dataset.examples)
    cells = {f"{table.name}:{row.line}": row for row in table.rows}
    changes: list[Change] = []
    examples: list[Example] = []
    for example in dataset.examples:
        odd = [name for name in names_of(example) if name in spelled]
        if odd:
            row = cells[example.source]
            cell = _respelled(row.values[columns.label], columns, spelled)
            reason = ", ".join(f"{name!r} is spelled {spelled[name]!r} elsewhere" for name in odd)
            change = Change(row.line, "relabel", "label_spelling", reason, example.source, cell)
            changes.append(change)
            example = replace(example, label=_renamed(example, spelled))  # noqa: PLW2901
        examples.append(example)
    return changes, examples


def _respelled(cell: Any, columns: Columns, spelled: dict[str, str]) -> Any:
    """The label cell with the commonest spellings, in the form and order it had."""
    if columns.task != "multilabel":
        return spelled[str(cell).strip()]
    parts = cell if isinstance(cell, list) else str(cell).split(columns.separator)
    names = [str(part).strip() for part in parts]
    changed = list(dict.fromkeys(spelled.get(name, name) for name in names))
    return changed if isinstance(cell, list) else (columns.separator or "").join(changed)


def _renamed(example: Example, spelled: dict[str, str]) -> str | tuple[str, ...] | None:
    label = example.label
    if isinstance(label, tuple):
        names = {spelled.get(n, n) for n in label if not isinstance(n, Span)}
        return tuple(sorted(names))
    return None if label is None else spelled.get(label, label)
