"""The frozen encoder with a solved head: seconds of work, and the start of fine-tuning.

With few labels the label names are training rows, too ("card_arrival" is read as the text "card
arrival", or as what the recipe says it means), if cross-validation finds that they help: a name is
what a person would go by. The penalty C is chosen by the same judged rows.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from takeroot.bundle import Outputs
from takeroot.bundle.shapes import SHAPES
from takeroot.data import Example
from takeroot.metrics.calibration import binary_nll, nll
from takeroot.models.load import Pretrained
from takeroot.models.text_model import TextModel, widen_token_types
from takeroot.search.tfidf import EXCLUSIVE, row_weights, target_matrix
from takeroot.search.work import Judged, Part, Work, gather, side_by_side
from takeroot.tasks import Task, encode_examples
from takeroot.train.embed import embed
from takeroot.train.logistic import MAX_STEPS, Linear, solve

PENALTIES = (3.0, 10.0, 30.0, 100.0)
MANY_ROWS = 5000  # beyond, the choice of C hardly matters and each try takes seconds
PENALTIES_OF_MANY = (10.0, 30.0)
STEPS_OF_MANY = 30
LOOKED_AT = 0.02  # share of the tokens after which the time for all of them is told
ANYWAY_S = 5.0  # embedding that takes less is not left out for want of time
NAMED_ROWS = 50  # rows a label up to which label names are tried as training rows


@dataclass(frozen=True)
class Probe:
    """Text vectors of all rows, and how the head is solved.

    Args:
        vectors: (N, H), by row number.
        names: Vectors of the label names (K, H), or None where they are not used.
        c: Inverse strength of the penalty.
    """

    vectors: np.ndarray
    names: np.ndarray | None
    c: float


def build(pretrained: Pretrained, task: Task) -> TextModel:
    """The network on an untrained head; the encoder of a tag task learns to take word shapes."""
    head = task.head(pretrained.hidden_size)
    if takes_shapes(pretrained, task):
        widen_token_types(pretrained.encoder, SHAPES)
    return TextModel(
        pretrained.encoder,
        head,
        pooled=task.pooled,
        token_types=pretrained.architecture.token_types,
    ).eval()


def with_head(pretrained: Pretrained, task: Task, head: Linear) -> TextModel:
    """The network on a solved head; the encoder is shared, not copied."""
    model = build(pretrained, task)
    put_head(model, head)
    return model


def takes_shapes(pretrained: Pretrained, task: Task) -> bool:
    """Whether token types tell the shapes of words: they are free where a text stands alone."""
    return not task.pooled and pretrained.architecture.token_types


class NoTimeError(Exception):
    """Embedding all rows would take longer than there is time for."""


def vectors_of(
    work: Work, examples: Sequence[Example], dtype: torch.dtype, most_s: float | None = None
) -> np.ndarray:
    """Vectors (N, H) of unit length of some rows by the frozen encoder.

    Raises:
        NoTimeError: If that would take more than ``most_s`` seconds, by its first rows.
    """
    assert work.pretrained is not None
    found = encode_examples(work.task, work.pretrained.tokenizer, examples, work.max_tokens)
    began, looked = time.monotonic(), most_s is None

    def report(done: int, total: int, share: float) -> None:
        nonlocal looked
        work.progress.step("embedding", done, total, {})
        if not looked and share >= LOOKED_AT:
            looked = True
            seconds = work.measured("embedding_s", lambda: (time.monotonic() - began) / share)
            if seconds > most_s:
                raise NoTimeError(
                    f"embedding {total:,} texts would take {seconds:.0f} s, more than the time "
                    "limit leaves"
                )

    return embed(build(work.pretrained, work.task), found.rows, dtype=dtype, on_rows=report)


def prepare(work: Work, dtype: torch.dtype, most_s: float | None = None) -> tuple[Probe, Judged]:
    """Embed all rows, choose penalty and use of the label names, and judge that choice.

    Raises:
        NoTimeError: If embedding would take more than ``most_s`` seconds.
    """
    vectors = vectors_of(work, work.rows, dtype, most_s)
    names = None
    if work.task.name == "classify" and len(work.rows) <= NAMED_ROWS * len(work.task.labels):
        names = vectors_of(work, named(work), dtype)
    penalties = PENALTIES if len(work.rows) <= MANY_ROWS else PENALTIES_OF_MANY
    uses = [None] if names is None else [None, names]
    tried = [Probe(vectors, used, c) for used in uses for c in penalties]
    parts = work.parts if work.few else work.parts[:1]
    judged = side_by_side(lambda probe: judge(work, probe, parts), tried)
    best = int(np.argmin([_loss(work, each) for each in judged]))
    if len(parts) == len(work.parts):
        return tried[best], judged[best]
    return tried[best], judge(work, tried[best], work.parts)


def solve_head(work: Work, probe: Probe, rows: np.ndarray) -> Linear:
    """The head of some training rows, given by number."""
    examples = work.pick(rows)
    features, targets = probe.vectors[rows], target_matrix(work.task, examples)
    weights = row_weights(work, examples)
    if probe.names is not None:
        features = np.concatenate([features, probe.names])
        targets = np.concatenate([targets, np.eye(len(work.task.labels), dtype=np.float32)])
        if weights is not None:
            weights = np.concatenate([weights, np.ones(len(work.task.labels), np.float32)])
    return solve(
        features,
        targets,
        probe.c,
        exclusive=work.task.name in EXCLUSIVE,
        row_weights=weights,
        max_steps=MAX_STEPS if len(work.rows) <= MANY_ROWS else STEPS_OF_MANY,
    )


def judge(work: Work, probe: Probe, parts: Sequence[Part]) -> Judged:
    """Solve and judge on each part."""

    def outputs(part: Part) -> Outputs:
        vectors = probe.vectors[part.judge]
        return Outputs(solve_head(work, probe, part.train).logits(vectors), vectors)

    return gather(parts, side_by_side(outputs, parts))


def put_head(model: TextModel, head: Linear) -> None:
    """Copy a solved head into the network."""
    layer = model.head
    assert isinstance(layer, nn.Linear)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(head.weights.T.copy()))
        layer.bias.copy_(torch.from_numpy(head.intercept))


def named(work: Work) -> list[Example]:
    """The labels as rows: what each is called, or where the recipe says so, what it means."""
    means = work.recipe.data.labels or {}
    return [Example(means.get(label) or spoken_name(label), label) for label in work.task.labels]


def spoken_name(label: str) -> str:
    """A label's name as words: separators and camel case become spaces."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", label)
    return re.sub(r"[\W_]+", " ", spaced).strip() or label


def _loss(work: Work, judged: Judged) -> float:
    """Mean negative log-likelihood of the judged rows; wrong answers weigh more than doubt."""
    logits = np.asarray(judged.outputs.logits)
    targets = np.array(work.task.targets(work.pick(judged.rows)))
    if targets.ndim == 2:
        return binary_nll(logits, targets)
    wrong = float((logits.argmax(axis=1) != targets).mean())
    return wrong + 0.1 * nll(logits, targets)
