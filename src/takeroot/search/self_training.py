"""Learn from texts without labels: a teacher guesses their labels, a student learns from both.

The teacher is the network trained last, or the solved head. Its probabilities are smoothed over a
graph of near texts (``search/propagate``), and the student learns them as they are, not the
likeliest label (soft pseudo labels: Zou et al. 2018, arXiv:1810.07911, section 4; Xie et al. 2020,
arXiv:1911.04252). Of a solved head the student is another one. Of a trained teacher it is a
network, which learns of each label the surest texts only, so that no label is learnt at another's
cost. Afterwards the texts are guessed once more, by teacher and student together, and its head is
solved on those guesses. Where we differ: the graph stands between teacher and student, and joins
what is near for the pretrained encoder, for the teacher and at last for the student; the student
starts from the pretrained encoder.

It is a candidate like any other: judged on labelled rows nobody learnt from, and kept if it helps.

Shapes: U texts without labels, N labelled rows, H hidden size, K labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from takeroot.bundle import Outputs
from takeroot.data import Example
from takeroot.metrics.calibration import softmax
from takeroot.models.text_model import TextModel
from takeroot.search import finetune
from takeroot.search import probe as probes
from takeroot.search.contrastive import named_rows
from takeroot.search.finetune import Tuned
from takeroot.search.probe import Probe
from takeroot.search.propagate import affinities, joined, propagate
from takeroot.search.tfidf import target_matrix
from takeroot.search.work import Judged, Part, Work, gather
from takeroot.tasks import Encoded, encode_examples
from takeroot.train import TrainConfig, train
from takeroot.train.embed import embed, predict
from takeroot.train.logistic import Linear, solve
from takeroot.train.soft_labels import SoftLabelled, SoftRow

TASKS = ("classify", "pair")
MOST_TEXTS = 20_000  # without labels: the graph's cost grows with the square of their number
KEPT = 0.8  # share of each label's texts that is learnt from, the surest
WEIGHT = 0.5  # of a guessed row beside a labelled one, in the solved head
C = 10.0  # of that head, at most
STEPS = 40  # of that head
EPOCHS = 2.0
LEARNING_RATE = 2e-4
AVERAGE = 0.99
TRAINED_SHARE = 0.8  # of a student's time; the rest is for guessing once more


@dataclass(frozen=True)
class Pool:
    """The texts without labels, made ready.

    Args:
        texts: They, with a label that nobody looks at, as rows have one.
        vectors: Of an encoder (U, H).
        graph: Of nearness among labelled rows, label names (where the probe has them) and texts.
    """

    texts: tuple[Example, ...]
    vectors: np.ndarray
    graph: Any


@dataclass(frozen=True)
class Seen:
    """Rows and texts as one network sees them.

    Args:
        probe: Its vectors of the labelled rows and the label names.
        pool: Its vectors of the texts without labels, and which of all of them are near.
        believed: What it says of those texts (U, K), rows adding up to 1.
    """

    probe: Probe
    pool: Pool
    believed: np.ndarray


def prepare(work: Work, probe: Probe, dtype: torch.dtype) -> Pool:
    """Embed the texts without labels and link all near texts."""
    texts = drawn(work)
    vectors = probes.vectors_of(work, texts, dtype)
    return _linked(texts, probe, vectors)


def drawn(work: Work) -> tuple[Example, ...]:
    """The texts without labels, or as many of them as a graph can hold.

    Rows have a label, so they are given one; nobody looks at it.
    """
    texts = work.unlabelled
    if len(texts) > MOST_TEXTS:
        random = np.random.default_rng(work.recipe.fit.seed)
        places = np.sort(random.permutation(len(texts))[:MOST_TEXTS])
        texts = tuple(texts[k] for k in places)
        work.progress.note(
            f"data.unlabelled: {MOST_TEXTS:,} of {len(work.unlabelled):,} texts are drawn"
        )
    return tuple(replace(text, label=work.task.labels[0]) for text in texts)


def judge_solved(work: Work, probe: Probe, pool: Pool, parts: Sequence[Part]) -> Judged:
    """A solved head learns from the guesses of one of its own kind, on each part."""
    outputs = []
    for number, part in enumerate(parts, start=1):
        head, vectors = student_head(work, probe, pool, part.train), probe.vectors[part.judge]
        outputs.append(Outputs(head.logits(vectors), vectors))
        work.progress.step("self-training", number, len(parts), {})
    return gather(parts, outputs)


def judge_trained(
    work: Work, probe: Probe, pool: Pool, teacher: TextModel, part: Part, config: TrainConfig
) -> tuple[Judged, Tuned]:
    """A network learns from the guesses of a teacher of the same part; also that network.

    The teacher must have seen none but the part's training rows.
    """
    tuned = trained(work, probe, pool, part.train, teacher, config)
    return gather([part], [finetune.outputs_of(work, tuned.model, part.judge)]), tuned


def student_head(work: Work, probe: Probe, pool: Pool, rows: np.ndarray) -> Linear:
    """A head solved on labelled rows and on what a head solved on them alone guesses."""
    alone = softmax(probes.solve_head(work, probe, rows).logits(pool.vectors))
    frozen = Seen(probe, pool, alone)
    return solved(work, frozen, rows, guesses(work, [frozen], rows, alone))


def trained(
    work: Work,
    probe: Probe,
    pool: Pool,
    rows: np.ndarray,
    teacher: TextModel,
    config: TrainConfig,
) -> Tuned:
    """A network trained on labelled rows, label names and the surest guesses of a teacher.

    Args:
        work: The material; its encoder is copied, not changed.
        probe: Vectors of the labelled rows.
        pool: The texts without labels.
        rows: Numbers of the labelled rows to learn from.
        teacher: A network that has seen no other labelled rows.
        config: How, see ``configure``.
    """
    taught = seen(work, probe, pool, teacher, config.precision)
    frozen = Seen(probe, pool, taught.believed)
    guessed = guesses(work, [frozen, taught], rows, taught.believed)
    model = finetune.to_train(work, solved(work, frozen, rows, guessed))
    finetune.set_trained(work, model, None)
    sure = finetune.encode(work, rows).rows + (named_rows(work) if probe.names is not None else [])
    one_hot = np.eye(len(work.task.labels), dtype=np.float32)
    learnt = [SoftRow(row, one_hot[int(row.target)]) for row in sure]  # type: ignore[arg-type]
    texts = _encoded(work, pool)
    learnt += [SoftRow(texts[k], guessed[k], float(guessed[k].max())) for k in surest(guessed)]
    objective = SoftLabelled(work.task, finetune.objective_of(work, len(learnt)).masking)
    stage = f"self-training on {len(rows)} labelled rows"
    history = train(
        model, objective, learnt, config, progress=work.progress, stage=stage, keep=work.keep
    )
    student = seen(work, probe, pool, model, config.precision)
    both = (taught.believed + student.believed) / 2
    again = guesses(work, [frozen, taught, student], rows, both)
    probes.put_head(model, solved(work, student, rows, again))
    return Tuned(model, history)


def seen(work: Work, probe: Probe, pool: Pool, model: TextModel, dtype: torch.dtype) -> Seen:
    """Rows and texts as a network sees them."""
    vectors = _vectors(work, model, work.rows, dtype)
    logits, texts = predict(model, _encoded(work, pool), dtype=dtype)
    assert texts is not None  # pooled
    names = None if probe.names is None else _vectors(work, model, probes.named(work), dtype)
    own = Probe(vectors, names, probe.c)
    return Seen(own, _linked(pool.texts, own, texts), softmax(np.stack(logits)))


def guesses(
    work: Work, views: Sequence[Seen], rows: np.ndarray, believed: np.ndarray
) -> np.ndarray:
    """Probabilities (U, K) of the labels of the texts that have none.

    Of the labelled texts only those of ``rows`` are in the graph: the others are to be judged.

    Args:
        work: The material.
        views: Networks whose graphs are joined.
        rows: Numbers of the labelled rows to learn from.
        believed: What is thought of the texts before any look at those near them (U, K).
    """
    known = target_matrix(work.task, work.pick(rows))
    start = len(work.rows)
    names = np.arange(0)
    if views[0].probe.names is not None:
        names = start + np.arange(len(views[0].probe.names))
        known = np.concatenate([known, np.eye(len(names), dtype=np.float32)])
    texts = start + len(names) + np.arange(len(believed))
    nodes = np.concatenate([rows, names, texts])
    graph = joined([view.pool.graph[nodes][:, nodes] for view in views])
    return propagate(graph, known, believed)


def solved(work: Work, view: Seen, rows: np.ndarray, guessed: np.ndarray) -> Linear:
    """A head solved on labelled rows, label names and guesses (U, K) as a network sees them."""
    features = [view.probe.vectors[rows], view.pool.vectors]
    targets = [target_matrix(work.task, work.pick(rows)), guessed]
    weights = [np.ones(len(rows)), np.full(len(guessed), WEIGHT)]
    if view.probe.names is not None:
        features.append(view.probe.names)
        targets.append(np.eye(len(work.task.labels)))
        weights.append(np.ones(len(view.probe.names)))
    return solve(
        np.concatenate(features),
        np.concatenate(targets).astype(np.float32),
        min(view.probe.c, C),
        exclusive=True,
        row_weights=np.concatenate(weights).astype(np.float32),
        max_steps=STEPS,
    )


def configure(work: Work, dtype: torch.dtype, budget_s: float | None) -> TrainConfig:
    """The training settings: the recipe's, and what served texts with guessed labels."""
    fit = work.recipe.fit
    rate = fit.learning_rate or LEARNING_RATE
    return replace(
        finetune.configure(work, dtype, len(work.rows) + len(work.unlabelled)),
        epochs=fit.epochs or EPOCHS,
        learning_rate=rate,
        head_learning_rate=rate,
        average=AVERAGE,
        patience=None,
        budget_s=None if budget_s is None else TRAINED_SHARE * budget_s,
    )


def surest(guesses: np.ndarray) -> np.ndarray:
    """Numbers of the texts to learn from: of each label's, the share KEPT of highest probability.

    Args:
        guesses: Probabilities (U, K).
    """
    likeliest, chance = guesses.argmax(axis=1), guesses.max(axis=1)
    kept = []
    for label in range(guesses.shape[1]):
        own = np.flatnonzero(likeliest == label)
        best = own[np.argsort(-chance[own], kind="stable")]
        kept.append(best[: int(np.ceil(KEPT * len(own)))])
    return np.sort(np.concatenate(kept))


def _linked(texts: tuple[Example, ...], probe: Probe, vectors: np.ndarray) -> Pool:
    """Texts with a graph over labelled rows, label names and them."""
    names = [] if probe.names is None else [probe.names]
    return Pool(texts, vectors, affinities(np.concatenate([probe.vectors, *names, vectors])))


def _vectors(
    work: Work, model: TextModel, examples: Sequence[Example], dtype: torch.dtype
) -> np.ndarray:
    """Vectors (N, H) of some rows by a network."""
    assert work.pretrained is not None
    found = encode_examples(work.task, work.pretrained.tokenizer, examples, work.max_tokens)
    return embed(model, found.rows, dtype=dtype)


def _encoded(work: Work, pool: Pool) -> list[Encoded]:
    """The texts without labels as rows of the network."""
    assert work.pretrained is not None
    tokenizer = work.pretrained.tokenizer
    return encode_examples(work.task, tokenizer, pool.texts, work.max_tokens).rows
