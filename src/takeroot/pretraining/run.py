"""``pretrain``: from texts to a model folder.

Gather the documents; train a tokenizer, or take the model's; tokenise to disk; train on the rows;
measure on the documents held out, before and after; write the folder that ``fit`` takes.

A pretraining that was cut off is gone on with by doing the same again, from the tokenizer and the
states of its training that stand in ``NAME.run`` beside the folder until that is there.
"""

from __future__ import annotations

import math
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from takeroot.errors import RecipeError
from takeroot.files import new_folder
from takeroot.models.adapters.attach import fingerprint
from takeroot.models.load import Pretrained as Loaded
from takeroot.models.load import load
from takeroot.pretraining.corpus import Corpus, gather
from takeroot.pretraining.folder import SUMMARY, WORK, summary_of, write_folder
from takeroot.pretraining.network import Start
from takeroot.pretraining.objective import Language
from takeroot.pretraining.prepare import Texts, prepare
from takeroot.recipe import PretrainRecipe, from_dict_of
from takeroot.stop import Stop, Stopped
from takeroot.train import History, Progress, Silent, TrainConfig, configured, train
from takeroot.train import precision as precisions
from takeroot.train.clock import Clock
from takeroot.train.memory import explained
from takeroot.train.run_folder import Kept, keeping, values_of

SCRATCH_RATE, ON_RATE = 1e-3, 2e-4


@dataclass(frozen=True)
class Pretrained:
    """A finished pretraining.

    Args:
        path: The model folder.
        summary: What ``pretrain --json`` prints.
    """

    path: Path
    summary: dict[str, Any]


def pretrain_recipe(
    recipe: PretrainRecipe,
    out: Path,
    *,
    progress: Progress | None = None,
    allow_download: bool = False,
    resume: bool = False,
    stop: Stop | None = None,
) -> Pretrained:
    """Make the model folder ``out``.

    Args:
        recipe: What to do.
        out: The folder; it must not exist. What is written on the way lies in a hidden folder
            beside it and takes about twice the room of the texts.
        progress: Where to report to.
        allow_download: Whether a model hub may be asked for the model to go on from.
        resume: Whether to go on with the pretraining that was to make this folder.
        stop: Asked to stop, at the next step of the training.

    Raises:
        DataError: If the files cannot be read or hold nothing to learn from.
        ModelError: If the model to go on from cannot be used.
        RecipeError: If settings do not fit the texts or the model.
        OutOfMemoryError: If memory runs out.
        CheckpointError: If what is gone on with was made from other texts, or states cannot be
            written.
        Stopped: If ``stop`` was asked to.
    """
    show = progress or Silent()
    if not resume and run_of(out).exists():
        raise RecipeError(
            f"{run_of(out)}: a pretraining of {out} was cut off; go on with it: takeroot pretrain "
            f"--resume {out}; or remove it"
        )
    explaining = explained("try a smaller pretrain.batch_size or pretrain.max_tokens")
    with explaining, new_folder(out) as folder:
        (folder / WORK).mkdir()
        given = None
        if recipe.model is not None:
            given = load(recipe.model, allow_download=allow_download)
        corpus = gather(recipe.data, folder / WORK / "documents.txt")
        with _keeping(recipe, out, _source(given, corpus), show, resume, stop) as kept:
            _sweep(out, folder)
            start, texts = prepare(recipe, given, corpus, folder / WORK, kept, show)
            summary = _train(recipe, start, texts, kept, show)
            summary |= {"model": str(out), "seconds": kept.clock.spent()}
            write_folder(folder, start, texts.tokenizer, recipe, summary)
    shutil.rmtree(run_of(out))
    return Pretrained(out, summary)


@contextmanager
def _keeping(
    recipe: PretrainRecipe,
    out: Path,
    source: dict[str, Any],
    show: Progress,
    resume: bool,
    stop: Stop | None,
) -> Iterator[Kept]:
    """Inside the block, the states of a pretraining are kept beside the folder it makes."""
    run = keeping(
        run_of(out),
        recipe,
        source,
        Clock(None),
        show,
        every_s=recipe.pretrain.checkpoint_s,
        again=f"takeroot pretrain --resume {out}",
        resume=resume,
        stop=stop,
    )
    try:
        with run as kept:
            yield kept
    except Stopped as stopped:
        raise Stopped(out if stopped.run else None) from stopped


def resume(
    out: Path,
    *,
    progress: Progress | None = None,
    allow_download: bool = False,
    stop: Stop | None = None,
) -> Pretrained:
    """Go on with the pretraining that was to make the folder ``out``; see above.

    Of one that is finished, what it made.

    Raises:
        CheckpointError: If there is no such pretraining, or it began with other texts.
    """
    if (out / SUMMARY).is_file():
        shutil.rmtree(run_of(out), ignore_errors=True)
        return Pretrained(out, summary_of(out))
    values = values_of(run_of(out))
    recipe, home = values["recipe"], Path(values["folder"])
    recipe["data"]["paths"] = [str(home / path) for path in recipe["data"]["paths"]]
    if recipe["model"] is not None and (home / recipe["model"]).is_dir():
        recipe["model"] = str(home / recipe["model"])
    return pretrain_recipe(
        from_dict_of(PretrainRecipe, recipe),
        out,
        progress=progress,
        allow_download=allow_download,
        resume=True,
        stop=stop,
    )


def _sweep(out: Path, own: Path) -> None:
    """Remove what a killed process has left of the folder; nobody else works on it now."""
    for path in out.parent.glob(f".{out.name}.partial-*"):
        if path != own:
            shutil.rmtree(path)


def run_of(out: Path) -> Path:
    """Where a pretraining keeps its states until the folder ``out`` is there."""
    return out.with_name(f"{out.name}.run")


def _source(given: Loaded | None, corpus: Corpus) -> dict[str, Any]:
    """What a pretraining is made from."""
    return {
        "documents": f"sha256 {corpus.sha256}",
        "model": None if given is None else f"sha256 {fingerprint(given.encoder)}",
    }


def _train(
    recipe: PretrainRecipe, start: Start, texts: Texts, kept: Kept, show: Progress
) -> dict[str, Any]:
    """Train, and measure on the held-out rows before and after."""
    wanted = recipe.pretrain.precision
    dtype = precisions.choose(
        kept.measured("precision", lambda: precisions.name_of(precisions.choose(wanted)))
    )
    objective = Language(recipe.pretrain, texts.frame)
    before = objective.measure(start.model, texts.held, dtype)
    began = time.monotonic()
    history = train(
        start.model,
        objective,
        texts.train,
        _config(recipe, dtype),
        valid=texts.held,
        progress=show,
        stage="pretraining",
        keep=kept.keep,
    )
    seconds = time.monotonic() - began
    after = objective.measure(start.model, texts.held, dtype)
    count = sum(parameter.numel() for parameter in start.model.encoder.parameters())
    return texts.figures | {
        "objective": recipe.pretrain.objective,
        "pairs": recipe.pretrain.pairs,
        "from": recipe.model,
        "fresh_head": start.fresh_head,
        "parameters": count,
        "precision": str(dtype).removeprefix("torch."),
        "before": before,
        "after": after,
        "training_seconds": seconds,
        "steps": history.steps[-1]["step"] if history.steps else 0,
        "takeroot": version("takeroot"),
        "history": _curves(history, objective.metric, before),
    }


def _config(recipe: PretrainRecipe, dtype: torch.dtype) -> TrainConfig:
    """The recipe's settings as the loop takes them."""
    settings = recipe.pretrain
    rate = settings.learning_rate or (ON_RATE if recipe.model else SCRATCH_RATE)
    return configured(
        settings,
        dtype,
        learning_rate=rate,
        head_learning_rate=rate,
        budget_s=settings.time_limit_s,
    )


def _curves(history: History, metric: str, before: dict[str, float]) -> dict[str, Any]:
    """Training loss by step, and held-out loss and perplexity by pass, from before the first."""
    passes = [{"epoch": 0.0, "loss": before["loss"], "perplexity": before["perplexity"]}]
    for record in history.epochs:
        loss = -math.log(max(record[metric], sys.float_info.min))
        passes.append({"epoch": record["epoch"], "loss": loss, "perplexity": math.exp(loss)})
    steps = [{"step": each["step"], "loss": each["loss"]} for each in history.steps]
    return {"training": steps, "held_out": passes}
