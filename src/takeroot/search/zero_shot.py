"""A model without labelled rows: each label is the vector of what it is called.

Text and label are compared in the encoder's space, without any labelled row (Chang, Ratinov, Roth
and Srikumar, AAAI 2008, "Importance of Semantic Representation: Dataless Classification"). A name
is put into several sentences and their vectors are averaged (Radford et al. 2021,
arXiv:2103.00020, section 3.1.4); a description, where the recipe has one, stands beside the name.

    logits = SCALE * x . p_k,    p_k = unit vector of the mean over k's sentences

So the prototypes are the weights of an ordinary head, and the bundle is an ordinary bundle. Where
we differ: SCALE cannot be fitted without labels; it is a constant, see there.

With texts without labels, the softmax of these logits, or what a bundle says that was fitted on
pairs of texts (``search/nli``), is a first guess of their labels. It is smoothed over a graph of
near texts and label names (``search/propagate``), and a head is solved on names and guesses.

Cost: one pass over labels times templates, and over the texts; the bundle's is told there. Shapes:
K labels, H hidden size, U texts without labels.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from takeroot.data import Columns, Dataset, Example, Table
from takeroot.data.table import content_sha256
from takeroot.errors import RecipeError
from takeroot.metrics.calibration import softmax
from takeroot.recipe import Recipe
from takeroot.search import finetune, unlabelled
from takeroot.search import material as materials
from takeroot.search import probe as probes
from takeroot.search.abstention import Rule
from takeroot.search.choose import Candidate
from takeroot.search.decide import Decision, draft_spec, evaluation_of
from takeroot.search.evidence import Made
from takeroot.search.finetune import Tuned
from takeroot.search.material import Material
from takeroot.search.nli import Asked, Nli, ask
from takeroot.search.propagate import affinities, propagate
from takeroot.search.self_training import STEPS, WEIGHT, C, drawn
from takeroot.search.work import Judged, Work
from takeroot.train import History, Progress
from takeroot.train.logistic import Linear, solve

NAME = "data.labels"
TEMPLATES = ("{}", "{}?", "a message about {}")
SCALE = 18.0  # the least log-loss on two sets of intents is at 16 and 20; others may need another
NOTE = (
    "learnt from {}: no labelled row was held out, so there are no validation "
    "figures, confidences are a guess, and it never abstains; a test file says how good it is"
)


def material(
    recipe: Recipe, bundle: Nli | None, test: Table | None, progress: Progress
) -> Material:
    """The labels as rows, the texts without labels, and the test file's rows where there is one.

    Raises:
        DataError: If a file cannot be read, the test file has a label that is not named, or its
            rows stand among the texts without labels.
        RecipeError: If no labels are named, or rows are given that would not be looked at.
    """
    names = recipe.data.labels or {}
    if len(names) < 2 or recipe.data.path is not None:
        raise RecipeError(
            f"fit.method: zero_shot needs {NAME}, two or more names with a description or null, "
            "and no data.path; where there are labelled rows, use probe"
        )
    if recipe.task not in (None, "classify"):
        raise RecipeError(f"task: {recipe.task!r} has no labels that stand for a whole text")
    held, columns = None, Columns("classify", recipe.data.text or "text", label="label")
    if test is not None or recipe.data.test is not None:
        asked = recipe.model_copy(update={"task": "classify"})
        table = materials.table_of(recipe, recipe.data.test, test)
        held = materials.dataset_of(asked, table, None, progress)
        materials.check_test(held, tuple(sorted(names)))
        columns = held.columns
    rows = tuple(
        Example(names[name] or probes.spoken_name(name), name, source=f"{NAME}.{name}")
        for name in sorted(names)
    )
    texts: tuple[Example, ...] = ()
    if recipe.data.unlabelled is not None:
        file = materials.table_of(unlabelled.reading(recipe), recipe.data.unlabelled, None)
        texts = unlabelled.usable(recipe, file, columns, rows, held, progress)
    note = NOTE.format(_sources(texts, bundle))
    progress.note(note)
    columns = replace(columns, notes=(note,))
    digest = content_sha256([[row.text, row.label] for row in rows])
    train = Dataset(rows, (), len(rows), digest, columns, NAME)
    return Material(train, held, tuple(sorted(names)), texts)


def _sources(texts: Sequence[Example], bundle: Nli | None) -> str:
    """What a model is learnt from, in words."""
    if not texts:
        return "label names alone"
    by = "their nearness to the names"
    by += "" if bundle is None else f" and by the bundle {bundle.name}"
    return f"label names and texts nobody has labelled, whose labels were guessed by {by}"


def make(work: Work, bundle: Nli | None) -> Made:
    """The network whose head is the labels' prototypes, or is solved on guesses about texts.

    Args:
        work: The material.
        bundle: What is asked about the texts, or None.
    """
    assert work.pretrained is not None
    started = time.monotonic()
    every = np.arange(len(work.rows))
    named = prototypes(work)
    weights = SCALE * named.T  # (H, K)
    head = Linear(weights.astype(np.float32), np.zeros(weights.shape[1], np.float32))
    asked = None
    if work.unlabelled:
        head, asked = _learnt(work, named, head, bundle)
    network = probes.with_head(work.pretrained, work.task, head)
    judged = Judged(every, finetune.outputs_of(work, network, every))
    decision = Decision(1.0, {}, {})
    evaluation = evaluation_of(work, judged, draft_spec(work, decision), {})
    seconds = time.monotonic() - started
    best = Candidate("zero_shot", seconds, judged, decision, evaluation)
    said = None if asked is None else asked.evidence
    tuned = Tuned(network, History())
    return Made(best, tuned, every, Rule(None, {}, {}), held_out=False, nli=said)


def _learnt(
    work: Work, named: np.ndarray, head: Linear, bundle: Nli | None
) -> tuple[Linear, Asked | None]:
    """A head solved on label names and guessed texts, and what the bundle was asked.

    Args:
        work: The material.
        named: The labels' unit prototypes (K, H).
        head: Made of them.
        bundle: What is asked about the texts, or None.
    """
    texts = drawn(work)
    vectors = probes.vectors_of(work, texts, torch.float32)
    likely = softmax(head.logits(vectors))  # (U, K)
    asked = None
    if bundle is not None:
        asked = ask(work, bundle, texts, likely)
        likely[asked.texts] = asked.chances
    one_hot = np.eye(len(named), dtype=np.float32)
    guessed = propagate(affinities(np.concatenate([named, vectors])), one_hot, likely)
    solved = solve(
        np.concatenate([named, vectors]),
        np.concatenate([one_hot, guessed]),
        C,
        exclusive=True,
        row_weights=np.repeat([1.0, WEIGHT], [len(named), len(texts)]).astype(np.float32),
        max_steps=STEPS,
    )
    return solved, asked


def prototypes(work: Work) -> np.ndarray:
    """Unit vectors (K, H) of the labels, in the order of the task's."""
    named = work.recipe.data.labels or {}
    said = {label: sentences(label, named[label]) for label in work.task.labels}
    rows = [Example(text, label) for label, texts in said.items() for text in texts]
    vectors = probes.vectors_of(work, rows, torch.float32)
    owners = np.array([row.label for row in rows])
    means = np.stack([vectors[owners == label].mean(axis=0) for label in said])
    return np.asarray(means / np.linalg.norm(means, axis=1, keepdims=True), np.float32)


def sentences(label: str, description: str | None) -> list[str]:
    """What a label may be called, its description as it is."""
    found = [template.format(probes.spoken_name(label)) for template in TEMPLATES]
    return found if description is None else [*found, *[description] * len(found)]
