"""``pretrain``: from texts to a model folder.

Gather the documents; train a tokenizer, or take the model's; tokenise to disk; train on the rows;
measure on the documents held out, before and after; write the folder that ``fit`` takes.
"""

from __future__ import annotations

import math
import sys
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer

from takeroot.data.check import UNREADABLE_SHARE
from takeroot.errors import DataError, RecipeError
from takeroot.files import new_folder
from takeroot.models.load import load
from takeroot.models.vocabulary import train_tokenizer
from takeroot.pretraining.cooccurrence import embeddings
from takeroot.pretraining.corpus import Corpus, gather
from takeroot.pretraining.folder import WORK, write_folder
from takeroot.pretraining.layout import Frame, frame_of
from takeroot.pretraining.network import Start, from_scratch, going_on
from takeroot.pretraining.objective import Language
from takeroot.pretraining.rows import Rows, cut
from takeroot.pretraining.token_file import write_tokens
from takeroot.recipe import PretrainRecipe
from takeroot.train import History, Progress, Silent, TrainConfig, train
from takeroot.train import precision as precisions
from takeroot.train.memory import explained

SCRATCH_RATE, ON_RATE = 1e-3, 2e-4
MOST_JUDGED = 2000  # held-out rows that are measured, taken evenly


@dataclass(frozen=True)
class Pretrained:
    """A finished pretraining.

    Args:
        path: The model folder.
        summary: What ``pretrain --json`` prints.
    """

    path: Path
    summary: dict[str, Any]


@dataclass(frozen=True)
class _Texts:
    """The documents as rows of tokens."""

    tokenizer: Tokenizer
    frame: Frame
    train: Rows
    held: Rows
    figures: dict[str, Any]


def pretrain_recipe(
    recipe: PretrainRecipe,
    out: Path,
    *,
    progress: Progress | None = None,
    allow_download: bool = False,
) -> Pretrained:
    """Make the model folder ``out``.

    Args:
        recipe: What to do.
        out: The folder; it must not exist. What is written on the way lies in a hidden folder
            beside it and takes about twice the room of the texts.
        progress: Where to report to.
        allow_download: Whether a model hub may be asked for the model to go on from.

    Raises:
        DataError: If the files cannot be read or hold nothing to learn from.
        ModelError: If the model to go on from cannot be used.
        RecipeError: If settings do not fit the texts or the model.
        OutOfMemoryError: If memory runs out.
    """
    show = progress or Silent()
    began = time.monotonic()
    with explained("try a smaller pretrain.batch_size or pretrain.max_tokens"):
        with new_folder(out) as folder:
            (folder / WORK).mkdir()
            start, texts = _prepare(recipe, folder / WORK, show, allow_download)
            summary = _train(recipe, start, texts, show)
            summary |= {"model": str(out), "seconds": time.monotonic() - began}
            write_folder(folder, start, texts.tokenizer, recipe, summary)
        return Pretrained(out, summary)


def _prepare(
    recipe: PretrainRecipe, work: Path, show: Progress, allow_download: bool
) -> tuple[Start, _Texts]:
    """The network to begin with, and the rows."""
    given = None if recipe.model is None else load(recipe.model, allow_download=allow_download)
    corpus = gather(recipe.data, work / "documents.txt")
    for account in corpus.accounts:
        show.note(_told(account.to_json(), account.first))
    if given is not None:
        if recipe.pretrain.max_tokens > given.max_tokens:
            raise RecipeError(
                f"pretrain.max_tokens: {recipe.pretrain.max_tokens} is more than the "
                f"{given.max_tokens} that {given.name} has positions for"
            )
        return going_on(given), _texts(recipe, corpus, given.tokenizer, work)
    tokenizer = train_tokenizer(recipe.tokenizer, lambda: corpus.documents(held=False))
    show.note(f"tokenizer: {recipe.tokenizer.kind}, {tokenizer.get_vocab_size():,} tokens")
    texts = _texts(recipe, corpus, tokenizer, work)
    with torch.random.fork_rng(devices=[]):  # its seed is nobody else's
        torch.manual_seed(recipe.pretrain.seed)
        start = from_scratch(recipe.network, tokenizer.get_vocab_size())
    if recipe.network.start == "cooccurrence":
        table, seed = start.model.table, recipe.pretrain.seed
        found = embeddings(texts.train.file, table.shape[0], table.shape[1], seed)
        with torch.no_grad():
            table.copy_(found)
    return start, texts


def _told(account: dict[str, Any], first: str) -> str:
    """A file's account in a sentence."""
    lost = sum(account["rejected"].values())
    unusable = f", {lost:,} cannot be used ({first})" if lost else ""
    return (
        f"{account['file']}: {account['kept']:,} of {account['rows_in']:,} documents, "
        f"{account['duplicates']:,} are duplicates{unusable}"
    )


def _texts(recipe: PretrainRecipe, corpus: Corpus, tokenizer: Tokenizer, work: Path) -> _Texts:
    """The documents as rows.

    Raises:
        DataError: If no row is long enough.
        RecipeError: If the tokenizer does not know a good part of the held-out tokens.
    """
    frame = frame_of(tokenizer)
    files = {
        held: write_tokens(tokenizer, corpus.documents(held), work / f"tokens-{int(held)}")
        for held in (False, True)
    }
    unknown = files[True].unknown / max(len(files[True].ids), 1)
    if unknown > UNREADABLE_SHARE:
        what = f"model: {recipe.model!r}" if recipe.model else "tokenizer.vocabulary: it"
        remedy = "an encoder for their language" if recipe.model else "a larger one"
        raise RecipeError(
            f"{what} does not know {unknown:.0%} of the held-out tokens; take {remedy}"
        )
    language = Language(recipe.pretrain, frame)
    rows = {
        held: cut(file, recipe.pretrain.max_tokens - frame.extra, language.fewest)
        for held, file in files.items()
    }
    for held, found in rows.items():
        if not len(found):
            part = "held-out documents" if held else "documents"
            raise DataError(f"data.paths: none of the {part} has {language.fewest} tokens or more")
    figures = {
        "files": [account.to_json() for account in corpus.accounts],
        "documents": {"train": corpus.count(False), "held_out": corpus.count(True)},
        "rows": {"train": len(rows[False]), "held_out": len(rows[True])},
        "tokens": {"train": len(files[False].ids), "held_out": len(files[True].ids)},
        "unknown_share": unknown,
        "vocabulary": tokenizer.get_vocab_size(),
        "data_sha256": corpus.sha256,
    }
    return _Texts(tokenizer, frame, rows[False], rows[True].some(MOST_JUDGED), figures)


def _train(recipe: PretrainRecipe, start: Start, texts: _Texts, show: Progress) -> dict[str, Any]:
    """Train, and measure on the held-out rows before and after."""
    dtype = precisions.choose(recipe.pretrain.precision)
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
    return TrainConfig(
        epochs=settings.epochs,
        learning_rate=rate,
        head_learning_rate=rate,
        batch_size=settings.batch_size,
        accumulate=settings.accumulate,
        weight_decay=settings.weight_decay,
        warmup_share=settings.warmup_share,
        schedule=settings.schedule,
        clip=settings.clip,
        dropout=settings.dropout,
        patience=settings.patience,
        precision=dtype,
        budget_s=settings.time_limit_s,
        seed=settings.seed,
    )


def _curves(history: History, metric: str, before: dict[str, float]) -> dict[str, Any]:
    """Training loss by step, and held-out loss and perplexity by pass, from before the first."""
    passes = [{"epoch": 0.0, "loss": before["loss"], "perplexity": before["perplexity"]}]
    for record in history.epochs:
        loss = -math.log(max(record[metric], sys.float_info.min))
        passes.append({"epoch": record["epoch"], "loss": loss, "perplexity": math.exp(loss)})
    steps = [{"step": each["step"], "loss": each["loss"]} for each in history.steps]
    return {"training": steps, "held_out": passes}
