"""``fit`` for models that write: from a recipe to a verified bundle.

Read the rows; hold some out; train on the answers of the others; export, and hold the export
against the network; answer the test rows once, before and after training; write the bundle with
all evidence.
"""

from __future__ import annotations

import copy
import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

from takeroot.data import Table
from takeroot.errors import RecipeError, require
from takeroot.generation import material as materials
from takeroot.generation.assemble import Work, assemble, summary_of
from takeroot.generation.material import Files, Material, Split
from takeroot.generation.parity import export
from takeroot.generation.scratch import from_scratch
from takeroot.generation.setting import how_asked
from takeroot.generation.training import METHODS, method_of, train_writer, words_of
from takeroot.generation.words import asked_with, with_words
from takeroot.models import PACKAGED
from takeroot.models.adapters.attach import chosen, fingerprint
from takeroot.models.generator import PretrainedGenerator, load_generator
from takeroot.recipe import SCRATCH, Recipe, keys
from takeroot.stop import Stop
from takeroot.train import Progress, Silent
from takeroot.train.clock import Clock
from takeroot.train.memory import explained
from takeroot.train.run_folder import Run, gone_on_with, keeping, named
from takeroot.train.shard import check_shard
from takeroot.train.sinks import flat, watched

TAKEN = (  # settings that mean something here; others must be left as they are
    *(f"data.{name}" for name in ("path", "test", "text", "label", "group", "time", "format")),
    *(f"data.{name}" for name in ("encoding", "header", "missing", "valid_share", "split_by")),
    *(f"fit.{name}" for name in ("method", "freeze", "time_limit_s", "seed", "max_tokens")),
    *(f"fit.{name}" for name in ("epochs", "learning_rate", "batch_size", "accumulate", "clip")),
    *(f"fit.{name}" for name in ("label_smoothing", "weight_decay", "warmup_share", "schedule")),
    *(f"fit.{name}" for name in ("dropout", "patience", "recompute", "checkpoint_s", "watch")),
    "fit.shard",
    *("fit.precision", "data.max_chars", "task", "model", "serve.mask"),
)
SHARDING = tuple(name for name in METHODS if name != "adalora")  # whose layers stand alone
TAKEN_PARTS = ("fit.adapter.", "generate.", "scratch.", "compress.", "output.")


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
        table: Rows, in place of the recipe's file.
        test: Test rows, in place of the recipe's file.
        progress: Where to report to.
        allow_download: Whether a model hub may be asked for the model.
        resume: Whether to go on with the run in ``out``, whose recipe this is.
        stop: Asked to stop, at the next step of the training.

    Raises:
        DataError: If the rows cannot be read or learnt from.
        ModelError: If the model cannot be used.
        RecipeError: If settings contradict each other or the data.
        OutOfMemoryError: If memory runs out.
        CheckpointError: If the run in ``out`` was made from other rows, or its states cannot be
            written.
        Stopped: If ``stop`` was asked to.
        MissingExtraError: If the extra ``generate`` is not installed.
    """
    clock, out = Clock(recipe.fit.time_limit_s), Path(out)
    check(recipe)  # before anything is read
    for module in ("ctranslate2", "sacrebleu"):  # or else they would be missed after the training
        require(module, extra="generate")
    settings = flat(recipe.model_dump(mode="json"))
    watching = watched(progress or Silent(), recipe.fit.watch, out, settings)
    with explained("try a smaller fit.batch_size or fit.max_tokens"), watching as show:
        files = materials.gather(recipe, table, test, show)
        parts = materials.divide(recipe, files.train.rows)
        base = _model(recipe, parts, show, allow_download)
        words = words_of(recipe, base)
        pretrained = with_words(base, words)
        how = asked_with(how_asked(recipe, base, chats=files.train.columns.chat), words)
        found = materials.encode(recipe, pretrained, how, files, parts)
        _tell(found, files, show)
        sha256 = fingerprint(base.network)
        source = _source(files, base, sha256)
        with keeping(
            out,
            recipe,
            source,
            clock,
            show,
            every_s=recipe.fit.checkpoint_s,
            again=f"takeroot fit --resume {out}",
            resume=resume,
            stop=stop,
        ) as kept:
            untouched = _copy(recipe, files, base)
            done = train_writer(recipe, pretrained, found, kept, show)
            show.note("exporting, and holding the export against the network")
            made = export(
                pretrained, found, recipe.compress.precision, recipe.compress.max_drop, show
            )
            work = Work(recipe, files, found, pretrained, untouched, sha256, kept.clock, show)
            return Run(out, out / "bundle", assemble(work, done, made, out))


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


def check(recipe: Recipe) -> None:
    """Refuse settings that mean nothing for a model that writes.

    Raises:
        RecipeError: If there are any, or the method does not fit.
    """
    method = method_of(recipe)
    chosen(method, recipe.fit.adapter.model_dump(exclude_none=True))
    if recipe.model == SCRATCH and recipe.task != "seq2seq":
        raise RecipeError(f"model: {SCRATCH!r} is for task seq2seq; name a model for {recipe.task}")
    if recipe.fit.freeze and recipe.task == "seq2seq":
        raise RecipeError("fit.freeze: task seq2seq does not take it: it has two stacks of layers")
    if recipe.fit.shard:
        check_shard(method, ["auto", *SHARDING])
    usual = Recipe()
    for key in keys():
        taken = key in TAKEN or key.startswith(TAKEN_PARTS)
        if not taken and _value(recipe, key) != _value(usual, key):
            raise RecipeError(f"{key}: task {recipe.task} does not take it; leave it out")


def _value(recipe: Recipe, key: str) -> Any:
    """The setting of a dotted name."""
    found: Any = recipe
    for part in key.split("."):
        found = getattr(found, part)
    return found


def _model(
    recipe: Recipe, parts: Split, show: Progress, allow_download: bool
) -> PretrainedGenerator:
    """The network to begin with."""
    if recipe.model != SCRATCH:
        if recipe.model in PACKAGED:
            show.note(f"reading {recipe.model}, which takes about half a minute")
        return load_generator(
            recipe.model,
            causal=recipe.task == "generate",
            allow_download=allow_download,
            step=lambda done, total: show.step("reading the model", done, total, {}),
        )
    texts = [text for row in parts.train for text in (row.shown, row.response or "")]
    made = from_scratch(recipe.scratch, texts, recipe.fit.seed)
    show.note(f"tokenizer: {made.tokenizer.get_vocab_size():,} tokens")
    return made


def _tell(found: Material, files: Files, show: Progress) -> None:
    """What was read, and what was left out."""
    show.note(
        f"{files.train.name}: {len(found.train):,} answers to learn from, {len(found.valid):,} "
        f"rows held out; prompts of {found.max_tokens} tokens, answers of "
        f"{found.how.max_new_tokens}"
    )
    if found.cut:
        show.note(f"{found.cut} prompts are longer than {found.max_tokens} tokens and are cut")
    more = len(found.rejects) - len(files.train.rejects)
    if more:
        show.note(f"{more} rows have longer answers and are left out; see rejects.csv")


def _copy(recipe: Recipe, files: Files, base: PretrainedGenerator) -> PretrainedGenerator | None:
    """The model before training, where test rows are to be answered with it."""
    if files.test is None or recipe.model == SCRATCH:
        return None
    return replace(base, network=copy.deepcopy(base.network))


def _source(files: Files, base: PretrainedGenerator, sha256: str) -> dict[str, Any]:
    """What a run is made from."""
    tokens = hashlib.sha256(base.tokenizer_json).hexdigest()
    test = files.test
    return {
        "rows": named(files.train.name, files.train.sha256),
        "test rows": None if test is None else named(test.name, test.sha256),
        "model": f"sha256 {sha256}, tokenizer {tokens}",
    }
