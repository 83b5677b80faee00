"""``fit``: from a recipe to a verified bundle.

Read and check the rows; judge candidates on rows they have not seen, cheapest first and within the
time limit; keep the best; calibrate it and choose when it abstains; export it, replay the artifact
against the network, and write the bundle with all evidence.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from takeroot.data import Table, names_of
from takeroot.errors import OutOfMemoryError, RecipeError
from takeroot.models.load import Pretrained, load
from takeroot.recipe import Recipe
from takeroot.search import finetune, tfidf
from takeroot.search import material as materials
from takeroot.search import probe as probes
from takeroot.search.assemble import assemble
from takeroot.search.choose import Candidate, candidate, choose
from takeroot.search.evidence import Made
from takeroot.search.learning_curve import learning_curve
from takeroot.search.material import Material
from takeroot.search.winner import Tried, retrained, train_winner
from takeroot.search.work import EXPORT_S, Clock, Work
from takeroot.tasks import TASKS, Task
from takeroot.tasks.multilabel import best_macro_f1
from takeroot.train import Progress, Silent
from takeroot.train import precision as precisions

BEST_PARTS = 3  # folds that preset best judges fine-tuning on; balanced takes one
REFIT_SHARE = 0.5  # of the training time, kept for the last training on all rows


@dataclass(frozen=True)
class Run:
    """A finished fit.

    Args:
        path: The run's folder.
        bundle: The bundle in it.
        summary: What ``fit --json`` prints.
    """

    path: Path
    bundle: Path
    summary: dict[str, Any]


def fit_recipe(
    recipe: Recipe,
    out: Path,
    *,
    table: Table | None = None,
    test: Table | None = None,
    progress: Progress | None = None,
    allow_download: bool = False,
) -> Run:
    """Make a bundle in the folder ``out``.

    Args:
        recipe: What to do.
        out: The run's folder; the bundle is written to ``out/bundle``.
        table: Labelled rows, in place of the recipe's file.
        test: Test rows, in place of the recipe's file.
        progress: Where to report to.
        allow_download: Whether a model hub may be asked for the encoder.

    Raises:
        DataError: If the rows cannot be read or learnt from.
        ModelError: If the encoder cannot be used.
        RecipeError: If settings contradict each other or the data.
        OutOfMemoryError: If memory runs out.
    """
    show = progress or Silent()
    clock = Clock(recipe.fit.time_limit_s)
    try:
        found = materials.gather(recipe, table, test, show)
        work = _work(recipe, found, show, clock, allow_download)
        tried = _try(work)
        best = choose(work, tried.candidates)
        made = train_winner(work, tried, best)
        return _finish(work, found, tried, best, made, Path(out))
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, MemoryError) or "not enough memory" in str(error):
            raise OutOfMemoryError(
                "out of memory; try a smaller fit.batch_size or fit.max_tokens"
            ) from error
        raise


def _work(
    recipe: Recipe, found: Material, show: Progress, clock: Clock, allow_download: bool
) -> Work:
    """The rows and the encoder, if it can read them."""
    rows = found.train.examples
    task_name = found.columns.task
    task = _task(recipe, found)
    pretrained, max_tokens = None, materials.LONGEST
    if recipe.fit.method != "tfidf":
        pretrained = _encoder(recipe, found, show, allow_download)
    if pretrained is not None:
        max_tokens = materials.tokens_to_read(
            recipe, pretrained.tokenizer, rows, pretrained.max_tokens
        )
    parts = materials.parts_of(recipe, rows, task_name)
    return Work(recipe, task, rows, parts, pretrained, max_tokens, show, clock)


def _task(recipe: Recipe, found: Material) -> Task:
    """The task with the recipe's settings."""
    name = found.columns.task
    settings: dict[str, Any] = {"labels": found.labels, "name": name}
    if recipe.fit.class_weights == "balanced" and name != "tag":
        settings["weights"] = _class_weights(found)
    smoothing = recipe.fit.label_smoothing
    if smoothing is None:
        few = finetune.few_labelled(TASKS[name](**settings), len(found.train.examples))
        smoothing = finetune.SMOOTHING if name in ("classify", "pair") and not few else 0.0
    return TASKS[name](**settings, smoothing=smoothing)


def _class_weights(found: Material) -> tuple[float, ...]:
    """Weights by which every label counts the same: inverse frequencies, 1 on average a row.

    For multilabel the weight of a label's positive rows: how many negatives stand against one.
    """
    rows = found.train.examples
    counts = Counter(name for row in rows for name in names_of(row))
    if found.columns.task == "multilabel":
        without = {label: len(rows) - counts[label] for label in found.labels}
        return tuple(max(without[label], 1) / counts[label] for label in found.labels)
    return tuple(len(rows) / (len(found.labels) * counts[label]) for label in found.labels)


def _encoder(
    recipe: Recipe, found: Material, show: Progress, allow_download: bool
) -> Pretrained | None:
    """The encoder, or None where it cannot read the texts and TF-IDF can stand in.

    Raises:
        ModelError: If it cannot be loaded.
    """
    pretrained = load(recipe.model, allow_download=allow_download)
    unknown = materials.unknown_share(pretrained.tokenizer, found.train.examples)
    if unknown <= materials.UNREADABLE:
        return pretrained
    message = f"{recipe.model} cannot read these texts: {unknown:.0%} of their tokens are unknown"
    if recipe.fit.method != "auto" or found.columns.task == "tag":
        show.note(f"warning: {message}; name an encoder for their language with model:")
        return pretrained
    show.note(f"warning: {message}; only TF-IDF is tried; model: may name another encoder")
    return None


def _try(work: Work) -> Tried:
    """Judge the candidates the recipe allows, cheapest first, while time lasts."""
    methods = _methods(work)
    dtype = precisions.choose(work.recipe.fit.precision)
    tried = Tried([])
    for method in methods:
        started = time.monotonic()
        if method == "tfidf":
            judged = tfidf.judge(work)
        elif method == "probe":
            tried.probe, judged = probes.prepare(work, dtype)
        else:
            if tried.probe is None and work.task.pooled:
                tried.probe, _ = probes.prepare(work, dtype)
            budget = _training_budget(work)
            if budget is not None and budget < 0 and tried.candidates:
                work.progress.note(f"{method} was not tried: the time limit leaves no room for it")
                continue
            parts = BEST_PARTS if work.recipe.fit.preset == "best" else 1
            judged, tried.tuned = finetune.judge(work, tried.probe, dtype, budget, parts)
        seconds = time.monotonic() - started
        found = candidate(work, method, seconds, judged)
        work.progress.note(f"{method}: {work.task.metric} {found.score:.4f} in {seconds:.0f} s")
        tried.candidates.append(found)
    return tried


def _methods(work: Work) -> list[str]:
    """The methods to try, cheapest first.

    Raises:
        RecipeError: If the method asked for does not fit the task or the way of abstaining.
    """
    wanted = work.recipe.fit.method
    away = work.recipe.abstain.method
    if away in ("mahalanobis", "knn") and (wanted == "tfidf" or work.pretrained is None):
        raise RecipeError(
            f"abstain.method: {away!r} compares an encoder's vectors; TF-IDF has none"
        )
    if work.task.name == "tag":
        if wanted not in ("auto", "full"):
            raise RecipeError(f"fit.method: {wanted!r} does not do task tag; allowed: auto, full")
        return ["full"]
    if wanted != "auto":
        return [wanted]
    if work.pretrained is None:
        return ["tfidf"]
    cheapest = [] if away in ("mahalanobis", "knn") else ["tfidf"]
    return [*cheapest, "probe"] + (["full"] if work.recipe.fit.preset != "fast" else [])


def _training_budget(work: Work) -> float | None:
    """Seconds fine-tuning may take now; cross-validation keeps some for the last training."""
    left = work.clock.left(EXPORT_S)
    if left is None:
        return None
    return left * (1 - REFIT_SHARE) if retrained(work) else left


def _finish(
    work: Work, found: Material, tried: Tried, best: Candidate, made: Made, out: Path
) -> Run:
    """Evidence, export, bundle."""
    curve = None
    if best.method != "full" or tried.probe is not None:
        curve = _curve(work, tried)
    return Run(out, out / "bundle", assemble(work, found, tried.candidates, made, curve, out))


def _curve(work: Work, tried: Tried) -> dict[str, Any] | None:
    """The learning curve of the cheapest fitting candidate."""
    if work.task.name == "tag" or work.recipe.fit.preset == "fast":
        return None

    def score(rows: np.ndarray, judged: np.ndarray) -> float:
        gold = np.array(work.task.targets(work.pick(judged)))
        if tried.probe is None:
            model = tfidf.fit(work.task, work.pick(rows))
            logits = np.asarray(model.outputs(work.pick(judged)).logits)
        else:
            logits = probes.solve_head(work, tried.probe, rows).logits(tried.probe.vectors[judged])
        if gold.ndim == 2:
            return best_macro_f1(logits, gold)
        return float((logits.argmax(axis=1) == gold).mean())

    return learning_curve(work.task, work.parts, score, work.recipe.fit.seed)
