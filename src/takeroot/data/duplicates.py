"""Rows that stand twice: in one file, with different labels, or in training and test."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from takeroot.data import near_duplicates
from takeroot.data.dataset import names_of
from takeroot.data.example import Example
from takeroot.data.issues import Finding, Issue, Level
from takeroot.data.texts import input_form

CONFLICT_SHARE = 0.02  # of the rows: more is an error
NEAR_SHARE = 0.01  # of the rows: more is a warning


def same_input(examples: Iterable[Example]) -> list[list[Example]]:
    """Groups of two or more examples with the same normal form, in file order."""
    groups: dict[str, list[Example]] = defaultdict(list)
    for example in examples:
        groups[input_form(example)].append(example)
    return [group for group in groups.values() if len(group) > 1]


def inputs_of(examples: Sequence[Example]) -> list[str]:
    """All that the model is given of each example, as one text."""
    return [e.text if e.second is None else f"{e.text} {e.second}" for e in examples]


def check_duplicates(examples: Sequence[Example]) -> list[Issue]:
    """Exact duplicates after normalisation, conflicting labels, and near duplicates."""
    groups = same_input(examples)
    same = [group for group in groups if len({e.label for e in group}) == 1]
    other = [group for group in groups if len({e.label for e in group}) > 1]
    repeated = [Finding(e.source, f"same as {g[0].source}") for g in same for e in g[1:]]
    conflicts = [Finding(e.source, _labels_in(e, g)) for g in other for e in g]
    issues = []
    if repeated:
        text = f"{len(repeated):,} rows repeat the text and label of another row"
        issues.append(Issue("duplicates", "warn", len(repeated), text, tuple(repeated)))
    if conflicts:
        share = len(conflicts) / len(examples)
        level: Level = "error" if share > CONFLICT_SHARE else "warn"
        text = f"{len(conflicts):,} rows ({share:.1%}) have a text that stands with other labels"
        issues.append(Issue("conflicting_labels", level, len(conflicts), text, tuple(conflicts)))
    return issues + _near(examples)


def check_leakage(train: Sequence[Example], test: Sequence[Example]) -> list[Issue]:
    """Test rows whose text stands in the training rows, exactly or nearly."""
    known: dict[str, Example] = {}
    for example in train:
        known.setdefault(input_form(example), example)
    exact = {e.source: known[key] for e in test if (key := input_form(e)) in known}
    issues = []
    if exact:
        rows = tuple(Finding(source, f"same as {e.source}") for source, e in exact.items())
        text = f"{len(exact):,} test rows ({len(exact) / len(test):.1%}) stand in the training rows"
        issues.append(Issue("leakage", "warn", len(exact), text, rows))
    both = [*train, *test]
    pairs = near_duplicates.find(inputs_of(both), boundary=len(train))
    near = {both[p.second].source: p for p in pairs if both[p.second].source not in exact}
    if near:
        share = len(near) / len(test)
        rows = tuple(
            Finding(source, f"{p.distance:.0%} from {both[p.first].source}")
            for source, p in near.items()
        )
        text = f"{len(near):,} test rows ({share:.1%}) nearly stand in the training rows"
        level: Level = "warn" if share > NEAR_SHARE else "info"
        issues.append(Issue("near_leakage", level, len(near), text, rows))
    return issues


def _near(examples: Sequence[Example]) -> list[Issue]:
    pairs = near_duplicates.find(inputs_of(examples))
    if not pairs:
        return []
    rows = tuple(_near_row(pair, examples) for pair in pairs)
    share = len(rows) / len(examples)
    text = f"{len(rows):,} rows ({share:.1%}) differ from an earlier row by a few characters only"
    paired = examples[0].second is not None  # pairs often share one of their texts
    level: Level = "warn" if share > NEAR_SHARE and not paired else "info"
    return [Issue("near_duplicates", level, len(rows), text, rows)]


def _near_row(pair: near_duplicates.Near, examples: Sequence[Example]) -> Finding:
    first, second = examples[pair.first], examples[pair.second]
    other = "" if first.label == second.label else ", other label"
    return Finding(second.source, f"{pair.distance:.0%} from {first.source}{other}")


def _labels_in(example: Example, group: Sequence[Example]) -> str:
    """The example's label beside how often each other label stands with its text."""
    counts = Counter(_shown(other) for other in group)
    own = _shown(example)
    rest = ", ".join(f"{label!r} x {times}" for label, times in counts.items() if label != own)
    return f"labelled {own!r}, elsewhere {rest}"


def _shown(example: Example) -> str:
    return ", ".join(names_of(example)) or "nothing"
