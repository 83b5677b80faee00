"""From held-out outputs to decisions: temperature, thresholds, and how good the answers are.

Shapes: N judged rows, K labels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from takeroot.bundle import Answer, Outputs, Spec
from takeroot.bundle.decode import decode
from takeroot.bundle.spec import Calibration
from takeroot.evaluate import Evaluation, evaluate
from takeroot.metrics import calibration as scales
from takeroot.metrics.thresholds import fit_thresholds
from takeroot.search.work import Judged, Work
from takeroot.tasks import Task


@dataclass(frozen=True)
class Decision:
    """How outputs become answers, and what that was before and after calibration."""

    temperature: float
    thresholds: dict[str, float]
    evidence: dict[str, float]


def calibrate(task: Task, outputs: Outputs, gold: np.ndarray) -> Decision:
    """Temperature, and thresholds for multilabel, from held-out outputs.

    Args:
        task: What was learnt.
        outputs: Of rows the model has not seen.
        gold: Label indices (N,), or 0/1 (N, K) for multilabel; empty for tag.
    """
    if task.name == "tag":
        return Decision(1.0, {}, {})
    logits = np.asarray(outputs.logits)
    if task.name == "multilabel":
        temperature = scales.fit_sigmoid_temperature(logits, gold)
        found = fit_thresholds(scales.sigmoid(logits / temperature), gold)
        losses = [scales.binary_nll(logits / t, gold) for t in (1.0, temperature)]
        evidence = {"temperature": temperature, "nll_before": losses[0], "nll_after": losses[1]}
        return Decision(temperature, dict(zip(task.labels, found.tolist(), strict=True)), evidence)
    temperature = scales.fit_temperature(logits, gold)
    evidence = {"temperature": temperature}
    for name, scale in (("before", 1.0), ("after", temperature)):
        probabilities = scales.softmax(logits / scale)
        right = probabilities.argmax(axis=1) == gold
        evidence[f"nll_{name}"] = scales.nll(logits / scale, gold)
        evidence[f"ece_{name}"] = scales.ece(probabilities.max(axis=1), right)
    return Decision(temperature, {}, evidence)


def gold_of(work: Work, rows: np.ndarray) -> np.ndarray:
    """The targets of some rows, as ``calibrate`` takes them."""
    return np.array([]) if work.task.name == "tag" else np.array(work.task.targets(work.pick(rows)))


def draft_spec(work: Work, decision: Decision, **settings: Any) -> Spec:
    """A spec with the task's and the decision's values, and whatever else is given."""
    values: dict[str, Any] = {
        "name": "draft",
        "task": work.task.name,
        "labels": work.task.labels,
        "runtime": "onnx" if work.task.name == "tag" else "linear",
        "normalisation": "none" if work.task.name == "tag" else "nfkc",
        "calibration": Calibration(temperature=decision.temperature),
        "thresholds": decision.thresholds,
    }
    return Spec(**{**values, **settings})


def answers_of(
    work: Work, judged: Judged, spec: Spec, reference: Mapping[str, Any]
) -> list[Answer]:
    """The answers to the judged rows."""
    inputs = [work.rows[k].input for k in judged.rows]
    return decode(spec, judged.outputs, reference, inputs)


def evaluation_of(
    work: Work, judged: Judged, spec: Spec, reference: Mapping[str, Any]
) -> Evaluation:
    """How good the answers to the judged rows are."""
    rows = work.pick(judged.rows)
    return evaluate(
        work.task.name,
        work.task.labels,
        answers_of(work, judged, spec, reference),
        [row.label for row in rows],
        [row.input for row in rows],
    )
