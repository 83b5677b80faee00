"""Look a dataset over before a model is trained on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from takeroot import privacy
from takeroot.data import label_errors
from takeroot.data.classes import check_classes, check_test_classes, class_counts
from takeroot.data.dataset import Dataset, label_names
from takeroot.data.duplicates import check_duplicates, check_leakage
from takeroot.data.example import Example
from takeroot.data.issues import Finding, Issue
from takeroot.data.languages import NONE, script_shares
from takeroot.data.lengths import TokenUse, char_lengths, token_use
from takeroot.data.texts import is_placeholder

if TYPE_CHECKING:
    from tokenizers import Tokenizer

FORMAT = 1
MIXED_SHARE = 0.05  # of the texts in a second script: worth a word
UNKNOWN_SHARE = 0.05  # of the tokens: the model misses much of the text
UNREADABLE_SHARE = 0.2  # of the tokens: the model cannot read the texts
TRUNCATED_SHARE = 0.05
LEVELS = ("error", "warn", "info")


@dataclass(frozen=True)
class DataReport:
    """What was found in a dataset.

    Args:
        name: The file's name.
        task: The task its columns were read for.
        rows_in: Rows of the file, kept and rejected.
        kept: Rows that can be used.
        rejected: Rows that cannot.
        sha256: Hash of the examples.
        columns: Role of each column by name, and how that was found out.
        classes: Rows by label, the most frequent first.
        length: Statistics of the texts' lengths.
        issues: What to look at, the worst first.
        languages: Share of the texts by script.
        personal_data: Pieces of personal data by kind.
        tokens: What the tokenizer makes of the texts, if one was given.
        test: Name, rows and classes of the test file, if one was given.
    """

    name: str
    task: str
    rows_in: int
    kept: int
    rejected: int
    sha256: str
    columns: dict[str, Any]
    classes: dict[str, int]
    length: dict[str, Any]
    issues: tuple[Issue, ...]
    languages: dict[str, float]
    personal_data: dict[str, int]
    tokens: TokenUse | None = None
    test: dict[str, Any] | None = field(default=None)

    @property
    def errors(self) -> tuple[Issue, ...]:
        """The issues that stop training."""
        return tuple(issue for issue in self.issues if issue.level == "error")

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        values["issues"] = [issue.to_json() for issue in self.issues]
        values["tokens"] = None if self.tokens is None else asdict(self.tokens)
        return {"format": FORMAT, **values}


def check(
    dataset: Dataset,
    *,
    test: Dataset | None = None,
    probabilities: NDArray[np.floating] | None = None,
    tokenizer: Tokenizer | None = None,
    max_tokens: int | None = None,
) -> DataReport:
    """Everything that can be told without training a model.

    Args:
        dataset: The training rows.
        test: The test rows, to find leakage and unknown labels.
        probabilities: Out-of-fold probabilities (rows, label_names(examples)) to rank label errors
            by, see ``out_of_fold``; only for tasks with one label a row.
        tokenizer: The model's, to count unknown tokens and truncated texts.
        max_tokens: What the model reads of a text.
    """
    examples = dataset.examples
    texts = [text for e in examples for text in (e.text, e.second) if text is not None]
    use = None if tokenizer is None else token_use(examples, tokenizer, max_tokens)
    languages = script_shares(texts)
    personal = privacy.count(texts)
    issues = _rejects(dataset) + _placeholders(examples) + check_duplicates(examples)
    if dataset.columns.label is not None:
        issues += check_classes(examples, dataset.columns.task)
    if test is not None:
        issues += check_leakage(examples, test.examples)
        issues += check_test_classes(examples, test.examples)
    if probabilities is not None and dataset.columns.task in ("classify", "pair"):
        issues += check_label_errors(examples, probabilities)
    issues += _tokens(use, len(examples)) + _languages(languages) + _personal(personal)
    return DataReport(
        name=dataset.name,
        task=dataset.columns.task,
        rows_in=dataset.rows_in,
        kept=len(examples),
        rejected=len(dataset.rejects),
        sha256=dataset.sha256,
        columns={**asdict(dataset.columns), "notes": list(dataset.columns.notes)},
        classes=class_counts(examples),
        length=char_lengths(examples),
        issues=tuple(sorted(issues, key=lambda issue: LEVELS.index(issue.level))),
        languages=languages,
        personal_data=personal,
        tokens=use,
        test=None if test is None else _test(test),
    )


def check_label_errors(
    examples: Sequence[Example], probabilities: NDArray[np.floating]
) -> list[Issue]:
    """Rows whose label the out-of-fold probabilities (N, K) speak against."""
    names = label_names(examples)
    number = {name: place for place, name in enumerate(names)}
    labels = np.array([number[str(example.label)] for example in examples])
    found = label_errors.find(probabilities, labels)
    if not len(found.flagged):
        return []
    rows = tuple(
        Finding(
            examples[row].source,
            f"labelled {examples[row].label!r}, rather {names[found.suggested[row]]!r}",
        )
        for row in found.flagged
    )
    share = len(rows) / len(examples)
    text = f"{len(rows):,} rows ({share:.1%}) may be labelled wrongly; the likeliest come first"
    return [Issue("label_errors", "warn", len(rows), text, rows)]


def _rejects(dataset: Dataset) -> list[Issue]:
    if not dataset.rejects:
        return []
    rows = tuple(Finding(f"{dataset.name}:{r.line}", r.reason) for r in dataset.rejects)
    reasons = Counter(reject.reason for reject in dataset.rejects).most_common(3)
    why = "; ".join(f"{times:,} x {reason}" for reason, times in reasons)
    text = f"{len(rows):,} of {dataset.rows_in:,} rows cannot be used: {why}"
    return [Issue("rejected", "warn", len(rows), text, rows)]


def _placeholders(examples: Sequence[Example]) -> list[Issue]:
    rows = tuple(
        Finding(example.source, f"text is {example.text.strip()!r}")
        for example in examples
        if is_placeholder(example.text)
    )
    if not rows:
        return []
    text = f"{len(rows):,} texts look like placeholders of missing values"
    return [Issue("placeholder", "warn", len(rows), text, rows)]


def _tokens(use: TokenUse | None, rows: int) -> list[Issue]:
    issues: list[Issue] = []
    if use is None:
        return issues
    if use.unknown_share > UNKNOWN_SHARE:
        can = "cannot read these texts" if use.unknown_share > UNREADABLE_SHARE else "misses much"
        text = f"{use.unknown_share:.0%} of the tokens are unknown to the model: it {can}"
        issues.append(Issue("unknown_tokens", "warn", rows, text))
    if use.truncated:
        level = "warn" if use.truncated > TRUNCATED_SHARE * rows else "info"
        text = f"{use.truncated:,} texts have more than {use.max_tokens} tokens: the rest is unread"
        issues.append(Issue("truncated", level, use.truncated, text))  # type: ignore[arg-type]
    return issues


def _languages(shares: dict[str, float]) -> list[Issue]:
    mixed = {s: share for s, share in shares.items() if s != NONE and share > MIXED_SHARE}
    if len(mixed) < 2:
        return []
    parts = ", ".join(f"{script} {share:.0%}" for script, share in mixed.items())
    return [Issue("language_mix", "info", len(mixed), f"texts are in several scripts: {parts}")]


def _personal(counts: dict[str, int]) -> list[Issue]:
    total = sum(counts.values())
    if not total:
        return []
    kinds = ", ".join(f"{kind} {count:,}" for kind, count in counts.items() if count)
    text = f"the texts hold {total:,} pieces of personal data: {kinds}"
    return [Issue("personal_data", "warn", total, text)]


def _test(test: Dataset) -> dict[str, Any]:
    return {
        "name": test.name,
        "rows_in": test.rows_in,
        "kept": len(test.examples),
        "rejected": len(test.rejects),
        "classes": class_counts(test.examples),
    }
