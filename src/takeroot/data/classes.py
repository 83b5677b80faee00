"""What is wrong with the labels themselves: too few, too rare, spelled two ways, unknown."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from takeroot.data.dataset import names_of
from takeroot.data.example import Example
from takeroot.data.issues import Finding, Issue, Level, listed
from takeroot.data.texts import normal_form

RARE_ROWS = 10
IMBALANCE = 0.1  # of an even share


def class_counts(examples: Iterable[Example]) -> dict[str, int]:
    """Rows (tag: entities) by label name, the most frequent first."""
    counts = Counter(name for example in examples for name in names_of(example))
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def check_classes(examples: Sequence[Example], task: str) -> list[Issue]:
    """Too few classes, rare classes, imbalance, and labels that differ in case or blanks only."""
    counts = class_counts(examples)
    if not counts:
        return [Issue("no_labels", "error", len(examples), "no row has a label")]
    issues: list[Issue] = []
    if len(counts) == 1 and task not in ("tag", "multilabel"):
        text = f"all rows have the label {next(iter(counts))!r}; two or more are needed"
        issues.append(Issue("single_class", "error", 1, text))
    issues += _rare(examples, counts, task)
    rarest, even = min(counts.values()), sum(counts.values()) / len(counts)
    if rarest < IMBALANCE * even:
        small = [name for name, count in counts.items() if count < IMBALANCE * even]
        text = f"{len(small)} classes have under a tenth of an even share: {listed(small)}"
        issues.append(Issue("imbalance", "warn", len(small), text))
    return issues + _spellings(examples, counts)


def check_test_classes(train: Sequence[Example], test: Sequence[Example]) -> list[Issue]:
    """Labels of the test rows that training has not, and the other way round."""
    known, asked = class_counts(train), class_counts(test)
    issues = []
    if unknown := [name for name in asked if name not in known]:
        rows = [Finding(e.source, n) for e in test for n in names_of(e) if n in set(unknown)]
        text = f"{len(rows):,} test rows have labels no training row has: {listed(unknown)}"
        issues.append(Issue("unknown_label", "error", len(rows), text, tuple(rows)))
    if empty := [name for name in known if name not in asked]:
        text = f"{len(empty)} classes have no test row: {listed(empty)}"
        issues.append(Issue("empty_class", "warn", len(empty), text))
    return issues


def spelling_changes(counts: dict[str, int]) -> dict[str, str]:
    """For labels that differ in case, width or blanks only: each rarer one with the commonest."""
    forms: dict[str, list[str]] = defaultdict(list)
    for name in counts:  # the most frequent first
        forms[normal_form(name)].append(name)
    return {name: names[0] for names in forms.values() for name in names[1:]}


def _rare(examples: Sequence[Example], counts: dict[str, int], task: str) -> list[Issue]:
    level: Level = "error" if task in ("classify", "pair") else "warn"
    issues = []
    if single := [name for name, count in counts.items() if count == 1]:
        alone = set(single)
        rows = tuple(Finding(e.source, n) for e in examples for n in names_of(e) if n in alone)
        text = (
            f"{len(single)} classes have one row only, too few to learn or test: {listed(single)}"
        )
        issues.append(Issue("single_row_class", level, len(single), text, rows))
    if rare := [name for name, count in counts.items() if 1 < count < RARE_ROWS]:
        text = f"{len(rare)} classes have under {RARE_ROWS} rows: {listed(rare)}"
        issues.append(Issue("rare_class", "warn", len(rare), text))
    return issues


def _spellings(examples: Sequence[Example], counts: dict[str, int]) -> list[Issue]:
    changes = spelling_changes(counts)
    if not changes:
        return []
    rows = tuple(
        Finding(e.source, f"{name!r}, elsewhere {changes[name]!r}")
        for e in examples
        for name in names_of(e)
        if name in changes
    )
    text = f"{len(changes)} labels differ from another in case or blanks only: " + listed(
        list(changes)
    )
    return [Issue("label_spelling", "warn", len(rows), text, rows)]
