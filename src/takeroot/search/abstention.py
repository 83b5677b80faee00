"""Choose how to notice texts that belong to no label, without any example of such texts.

Each score (``takeroot.bundle.abstain``) is judged by leaving classes out: a part of the labels is
taken away, the head is solved on the rest, and the rows of the missing labels play the texts that
do not belong. The score with the highest mean AUROC over several draws wins. Its threshold turns
away the recipe's share of held-out rows that do belong. Held-out rows that nearly repeat another
row are left out there: the model is surer of them than of anything new, so that a threshold on all
of them turned away twice the share of new texts (clinc150's validation file: 3.8 %, not 2 %).

Shapes: N rows, H hidden size, K labels, R reference rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from takeroot.bundle import Outputs
from takeroot.bundle.abstain import OUT_OF_SCOPE, prepare
from takeroot.bundle.spec import Abstention
from takeroot.data import Example
from takeroot.data.near_duplicates import find
from takeroot.data.texts import normal_form
from takeroot.metrics.selective import auroc, threshold_at
from takeroot.search.probe import Probe
from takeroot.search.work import Work
from takeroot.train.logistic import one_hot, solve

DRAWS = 3
LEFT_OUT = 0.25  # share of labels taken away in each draw
FEWEST_LABELS = 4
NEIGHBOURS = 5
REFERENCES = 1000  # training vectors kept for the nearest-neighbour distance: 0.8 MB at H = 384
RIDGE = 0.05  # share of the mean variance added to the covariance before it is inverted
REPEATED = 0.3  # of a text's characters may differ from another's, and it still counts as known
LEAST_FRESH = 100  # held-out rows without a near duplicate; with fewer, all of them count
DEFAULT = "energy"  # where there are too few labels to leave any out

MOST_ROWS = 5000  # rows heads are solved on while classes are left out
STEPS = 30


@dataclass(frozen=True)
class Rule:
    """When to abstain.

    Args:
        abstention: For the spec, or None never to abstain.
        reference: Arrays its score compares with.
        evidence: How the scores did.
    """

    abstention: Abstention | None
    reference: dict[str, np.ndarray]
    evidence: dict[str, Any]


def reference_arrays(
    method: str, vectors: np.ndarray, labels: np.ndarray, seed: int
) -> dict[str, np.ndarray]:
    """What a score compares with, from training vectors (N, H) and their labels (N,)."""
    if method == "mahalanobis":
        names, numbers = np.unique(labels, return_inverse=True)
        means = np.stack([vectors[numbers == k].mean(axis=0) for k in range(len(names))])
        centred = vectors - means[numbers]
        covariance = centred.T @ centred / len(vectors)
        variance = np.trace(covariance) / len(covariance) or 1.0  # 0 where each class has one row
        covariance += RIDGE * variance * np.eye(len(covariance))
        precision = np.linalg.inv(covariance.astype(np.float64))
        return {"means": means.astype(np.float32), "precision": precision.astype(np.float32)}
    if method == "knn":
        kept = np.random.default_rng(seed).permutation(len(vectors))[:REFERENCES]
        return {"references": vectors[np.sort(kept)].astype(np.float16)}
    return {}


def scores(method: str, outputs: Outputs, reference: Mapping[str, np.ndarray]) -> np.ndarray:
    """How much each row is in scope (N,), higher is more."""
    score = OUT_OF_SCOPE[method]
    ready = prepare(method, reference)
    return score(np.asarray(outputs.logits), outputs.embedding, ready, NEIGHBOURS)


def compare_by_leaving_out(
    work: Work, probe: Probe, labels: np.ndarray
) -> dict[str, dict[str, float]]:
    """Mean AUROC of every score, and what it finds when 2 % of the belonging rows are refused.

    Draws that leave nothing to judge on one side do not count; nothing is returned if none does.

    Args:
        work: The material; the first held-out part is used.
        probe: Text vectors of all rows.
        labels: Of all rows (N,).
    """
    random = np.random.default_rng(work.recipe.fit.seed)
    count = len(work.task.labels)
    part = work.parts[0]
    train = np.sort(random.permutation(part.train)[:MOST_ROWS])
    held = probe.vectors[part.judge]
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in OUT_OF_SCOPE}
    for _ in range(DRAWS):
        out = random.permutation(count)[: max(1, round(count * LEFT_OUT))]
        outside = np.isin(labels[part.judge], out)
        rows = train[~np.isin(labels[train], out)]
        if outside.all() or not outside.any() or not len(rows):
            continue
        targets = one_hot(labels[rows], count)[:, ~np.isin(np.arange(count), out)]
        head = solve(probe.vectors[rows], targets, probe.c, max_steps=STEPS)
        outputs = Outputs(head.logits(held), held)
        for name, results in found.items():
            reference = reference_arrays(name, probe.vectors[rows], labels[rows], 0)
            each = scores(name, outputs, reference)
            threshold = threshold_at(each[~outside], 0.02)
            missed = float((each[outside] < threshold).mean())
            results.append((auroc(each[~outside], each[outside]), missed))
    return {
        name: {
            "auroc": float(np.mean([area for area, _ in results])),
            "recall_at_default": float(np.mean([recall for _, recall in results])),
        }
        for name, results in found.items()
        if results
    }


def fresh(rows: Sequence[Example], judged: np.ndarray) -> np.ndarray:
    """Places among the judged rows of those that repeat no other row, or of all if these are few.

    Args:
        rows: All rows.
        judged: Numbers of the judged ones (M,).
    """
    forms = [normal_form(" ".join((row.text, row.second or ""))) for row in rows]
    pairs = find(forms, share=REPEATED)
    known = {forms[number] for pair in pairs for number in (pair.first, pair.second)}
    new = np.array([place for place, k in enumerate(judged) if forms[k] not in known], np.int64)
    return new if len(new) >= LEAST_FRESH else np.arange(len(judged))


def rule_for(
    method: str,
    judged: Outputs,
    reference: dict[str, np.ndarray],
    reject_share: float,
    compared: dict[str, dict[str, float]],
) -> Rule:
    """The rule of a chosen score, its threshold set on held-out rows that belong."""
    each = scores(method, judged, reference)
    threshold = threshold_at(each, reject_share)
    evidence = {
        "method": method,
        "threshold": threshold,
        "methods": compared,
        "in_scope_rejected": float((each < threshold).mean()),
    }
    abstention = Abstention.model_validate(
        {"method": method, "threshold": threshold, "neighbours": NEIGHBOURS}
    )
    return Rule(abstention, reference, evidence)
