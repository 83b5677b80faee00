"""Score a bundle on labelled rows, alone or against another bundle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from takeroot.bundle import Answer, Outputs, Predictor
from takeroot.bundle.abstain import OUT_OF_SCOPE
from takeroot.bundle.spec import AnyInput, Input, Spec
from takeroot.data.cells import SEPARATORS
from takeroot.data.columns import Columns, infer
from takeroot.data.dataset import Dataset, build
from takeroot.data.example import Label
from takeroot.data.exchanges import exchange_columns, exchanges
from takeroot.data.table import Table
from takeroot.errors import DataError
from takeroot.evaluate import Comparison, Evaluation, compare, evaluate


@dataclass(frozen=True)
class Labelled:
    """Rows to score on.

    Args:
        inputs: What the model is asked.
        gold: What it should answer.
        sources: Where each row came from, for messages.
        shown: Each input as text.
        sha256: Hash of the rows.
        rows_in: Rows that were read.
        rejected: Rows among them that were left out.
    """

    inputs: Sequence[AnyInput]
    gold: Sequence[Label]
    sources: Sequence[str]
    shown: Sequence[Input]
    sha256: str
    rows_in: int
    rejected: int


@dataclass(frozen=True)
class Scored:
    """What labelled rows say about a bundle.

    Args:
        evaluation: The figures.
        rows: Those they stand on.
        answers: The bundle's answer to each of them.
    """

    evaluation: Evaluation
    rows: Labelled
    answers: list[Answer]

    def to_json(self) -> dict[str, Any]:
        """The figures, and how many rows were read and left out."""
        counts = {"rows_in": self.rows.rows_in, "rejected": self.rows.rejected}
        return {**self.evaluation.to_json(), **counts}


def score(
    predictor: Predictor,
    table: Table,
    columns: Mapping[str, str | None],
    out_of_scope_label: str | None = None,
) -> Scored:
    """The figures of a bundle on a labelled table.

    Args:
        predictor: The bundle, opened.
        table: Labelled rows.
        columns: Names of the ``text``, ``label`` and ``second`` columns where they differ from
            those in training.
        out_of_scope_label: Label of the rows that no label of the bundle covers.

    Raises:
        DataError: If a column is missing, or a label is not one of the bundle's.
    """
    spec = predictor.spec
    if spec.writes and out_of_scope_label is not None:
        raise DataError(f"out of scope {out_of_scope_label!r}: a model that writes has no labels")
    rows = _exchanged(spec, table, columns) if spec.writes else _labelled(spec, table, columns)
    outputs = predictor.outputs(rows.inputs)
    answers = predictor.answers(outputs, rows.inputs)
    evaluation = evaluate(
        spec.task,
        spec.labels,
        answers,
        rows.gold,
        rows.shown,
        sources=rows.sources,
        out_of_scope_label=out_of_scope_label,
        scope_scores=_scope_scores(predictor, outputs) if out_of_scope_label else None,
    )
    return Scored(evaluation, rows, answers)


def against(first: Scored, second: Scored, out_of_scope_label: str | None = None) -> Comparison:
    """The second bundle's answers set against the first's, on the same rows.

    Raises:
        DataError: If the bundles do different tasks or were scored on different rows.
    """
    tasks = first.evaluation.task, second.evaluation.task
    if tasks[0] != tasks[1] or first.rows.sha256 != second.rows.sha256:
        raise DataError(f"--against: tasks {tasks[0]} and {tasks[1]}: need one task, the same rows")
    names = [score.label for scored in (first, second) for score in scored.evaluation.per_class]
    return compare(
        tasks[0],
        tuple(dict.fromkeys(names)),
        first.answers,
        second.answers,
        first.rows.gold,
        first.rows.shown,
        out_of_scope_label=out_of_scope_label,
    )


def labelled(spec: Spec, table: Table, columns: Mapping[str, str | None]) -> Dataset:
    """The table's examples, read from the columns named, else from those of the training."""
    trained = spec.input.model_dump()
    text, label, second = (
        columns.get(role) or (trained[role] if trained[role] in table.columns else None)
        for role in ("text", "label", "second")
    )
    found = infer(table, task=spec.task, text=text, label=label, second=second)
    if spec.task == "multilabel":
        found = replace(found, separator=_separator(spec, table, found))
    return build(table, found)


def _labelled(spec: Spec, table: Table, columns: Mapping[str, str | None]) -> Labelled:
    """The table's rows for a model of labels."""
    found = labelled(spec, table, columns)
    inputs = [example.input for example in found.examples]
    return Labelled(
        inputs=inputs,
        gold=[example.label for example in found.examples],
        sources=[example.source for example in found.examples],
        shown=inputs,
        sha256=found.sha256,
        rows_in=found.rows_in,
        rejected=len(found.rejects),
    )


def _exchanged(spec: Spec, table: Table, columns: Mapping[str, str | None]) -> Labelled:
    """The table's rows for a model that writes texts."""
    text, label = (
        columns.get(role) or (trained if trained in table.columns else None)
        for role, trained in (("text", spec.input.text), ("label", spec.input.label))
    )
    found = exchanges(table, exchange_columns(table, spec.task, text=text, label=label))
    return Labelled(
        inputs=[row.input for row in found.rows],
        gold=[row.response for row in found.rows],
        sources=[row.source for row in found.rows],
        shown=[row.shown for row in found.rows],
        sha256=found.sha256,
        rows_in=found.rows_in,
        rejected=len(found.rejects),
    )


def _separator(spec: Spec, table: Table, found: Columns) -> str | None:
    """What stands between the labels of a cell: that which leaves the bundle's labels only."""
    cells = [row.values.get(found.label or "") for row in table.rows]
    texts = [cell for cell in cells if isinstance(cell, str)]
    allowed = {*spec.labels, ""}
    for mark in (None, *SEPARATORS):
        parts = (part for text in texts for part in (text.split(mark) if mark else [text]))
        if {part.strip() for part in parts} <= allowed:
            return mark
    return found.separator


def joined(first: Table, second: Table) -> Table:
    """The rows of both tables, which have the same columns."""
    return replace(
        first,
        rows=[*first.rows, *second.rows],
        rejects=[*first.rejects, *second.rejects],
        rows_in=first.rows_in + second.rows_in,
    )


def _scope_scores(predictor: Predictor, outputs: Outputs) -> np.ndarray | None:
    """How much each row looks in scope by the bundle's own rule; None where it has none."""
    rule = predictor.spec.abstention
    if rule is None:
        return None
    logits = np.asarray(outputs.logits)
    return OUT_OF_SCOPE[rule.method](
        logits, outputs.embedding, predictor.reference, rule.neighbours
    )
