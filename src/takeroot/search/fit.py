"""``fit``: from a recipe to a verified bundle.

Read and check the rows; judge candidates on rows they have not seen, cheapest first and within the
time limit; keep the best; calibrate it and choose when it abstains; export it, replay the artifact
against the network, and write the bundle with all evidence.
"""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from takeroot.data import Table, names_of
from takeroot.data.check import UNREADABLE_SHARE
from takeroot.models.load import Pretrained, load
from takeroot.recipe import Recipe
from takeroot.search import augment, finetune, nli, tfidf, zero_shot
from takeroot.search import material as materials
from takeroot.search import probe as probes
from takeroot.search.assemble import assemble, summary_of
from takeroot.search.choose import Candidate, candidate, choose
from takeroot.search.evidence import Made
from takeroot.search.learning_curve import learning_curve
from takeroot.search.material import Material
from takeroot.search.methods import METHODS, Tried, check, retrained
from takeroot.search.plan import methods_of
from takeroot.search.run_folder import keeping
from takeroot.search.winner import train_winner
from takeroot.search.work import EXPORT_S, Work
from takeroot.stop import Stop
from takeroot.tasks import TASKS, Task
from takeroot.tasks.multilabel import best_macro_f1
from takeroot.train import Progress, Silent
from takeroot.train.clock import Clock
from takeroot.train.memory import explained
from takeroot.train.run_folder import Run, gone_on_with
from takeroot.train.sinks import flat, watched

REFIT_SHARE = 0.5  # of the training time, kept for the last training on all rows


def fit_recipe(  # noqa: PLR0913  what is optional is named
    recipe: Recipe,
    out: Path,
    *,
    table: Table | None = None,
    test: Table | None = None,
    progress: Progress | None = None,
    allow_download: bool = False,
    resume: bool = False,
    stop: Stop | None = None,
) -> Run:
    """Make a bundle in the folder ``out``.

    Args:
        recipe: What to do.
        out: The run's folder; the bundle is written to ``out/bundle``.
        table: Labelled rows, in place of the recipe's file.
        test: Test rows, in place of the recipe's file.
        progress: Where to report to.
        allow_download: Whether a model hub may be asked for the encoder.
        resume: Whether to go on with the run in ``out``, whose recipe this is.
        stop: Asked to stop, at the next step of a training.

    Raises:
        DataError: If the rows cannot be read or learnt from.
        ModelError: If the encoder cannot be used.
        RecipeError: If settings contradict each other or the data.
        OutOfMemoryError: If memory runs out.
        CheckpointError: If the run in ``out`` was made from other rows, or its states cannot be
            written.
        Stopped: If ``stop`` was asked to.
    """
    clock = Clock(recipe.fit.time_limit_s)
    out = Path(out)
    check(recipe)  # before anything is read
    augment.check(recipe, allow_download=allow_download)
    settings = flat(recipe.model_dump(mode="json"))
    watching = watched(progress or Silent(), recipe.fit.watch, out, settings)
    with explained("try a smaller fit.batch_size or fit.max_tokens"), watching as show:
        if recipe.fit.method == "zero_shot":
            bundle = nli.opened(recipe)
            found = zero_shot.material(recipe, bundle, test, show)
            work = _work(recipe, found, show, clock, allow_download)
            made = zero_shot.make(work, bundle)
            return Run(out, out / "bundle", assemble(work, found, (), made, None, out))
        found = materials.gather(recipe, table, test, show)
        work = _work(recipe, found, show, clock, allow_download)
        words = augment.sha256_of(recipe, allow_download=allow_download)
        with keeping(work, found, words, out, resume=resume, stop=stop) as kept:
            work = augment.worthwhile(kept, allow_download=allow_download)
            tried = _try(work)
            best = choose(work, tried.candidates)
            made = train_winner(work, tried, best)
            return _finish(work, found, tried, best, made, out)


def resume(
    out: Path,
    *,
    table: Table | None = None,
    test: Table | None = None,
    progress: Progress | None = None,
    allow_download: bool = False,
    stop: Stop | None = None,
) -> Run:
    """Go on with the run in ``out``, to the bundle it would have made in one go; see above.

    A run that is finished is left as it is.

    Raises:
        CheckpointError: If there is no such run, or it began with other rows.
    """
    return gone_on_with(
        out,
        fit_recipe,
        summary_of,
        table=table,
        test=test,
        progress=progress,
        allow_download=allow_download,
        stop=stop,
    )


def _work(
    recipe: Recipe, found: Material, show: Progress, clock: Clock, allow_download: bool
) -> Work:
    """The rows and the encoder, if it can read them."""
    rows = found.train.examples
    task_name = found.columns.task
    task = _task(recipe, found)
    pretrained, max_tokens = None, materials.LONGEST
    if recipe.fit.method not in METHODS or METHODS[recipe.fit.method].encoder:
        pretrained = _encoder(recipe, found, show, allow_download)
    if pretrained is not None:
        max_tokens = materials.tokens_to_read(
            recipe, pretrained.tokenizer, rows, pretrained.max_tokens
        )
    parts = materials.parts_of(recipe, rows, task_name)
    texts, also = found.unlabelled, found.also
    return Work(recipe, task, rows, parts, pretrained, max_tokens, show, clock, texts, also)


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
    if unknown <= UNREADABLE_SHARE:
        return pretrained
    message = f"{recipe.model} cannot read these texts: {unknown:.0%} of their tokens are unknown"
    if recipe.fit.method != "auto" or found.columns.task == "tag":
        show.note(f"warning: {message}; name an encoder for their language with model:")
        return pretrained
    show.note(f"warning: {message}; only TF-IDF is tried; model: may name another encoder")
    return None


def _try(work: Work) -> Tried:
    """Judge the candidates the recipe allows, cheapest first, while time lasts."""
    tried = Tried([])
    for name in methods_of(work):
        method = METHODS[name]
        started = time.monotonic()
        budget = _training_budget(work, name) if method.trained else None
        if budget is not None and budget < 0 and tried.candidates:
            work.progress.note(f"{name} was not tried: the time limit leaves no room for it")
            continue
        try:
            judged = method.judge(work, tried, budget)
        except probes.NoTimeError as error:  # what comes after it embeds the same texts
            work.progress.note(f"{name} was not tried: {error}; nor was what starts from it")
            break
        seconds = time.monotonic() - started
        found = candidate(work, name, seconds, judged)
        work.progress.note(f"{name}: {work.task.metric} {found.score:.4f} in {seconds:.0f} s")
        tried.candidates.append(found)
    return tried


def _training_budget(work: Work, name: str) -> float | None:
    """Seconds fine-tuning may take now; cross-validation keeps some for the last training."""
    left = work.clock.left(EXPORT_S)
    if left is None:
        return None
    return left * (1 - REFIT_SHARE) if retrained(work, name) else left


def _finish(
    work: Work, found: Material, tried: Tried, best: Candidate, made: Made, out: Path
) -> Run:
    """Evidence, export, bundle."""
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
