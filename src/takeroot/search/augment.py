"""``fit.augment``: changed copies of the training texts, kept where held-out rows are gained.

The gain is measured with the cheapest method that will be used, the solved head or TF-IDF, on the
rows it is judged by; copies of a row that is judged are in no training, and no copy is ever judged.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from takeroot.data.augment import ChangeOfAll, Random, augmented
from takeroot.errors import RecipeError
from takeroot.models import masked
from takeroot.recipe import Recipe
from takeroot.search import probe as probes
from takeroot.search import tfidf
from takeroot.search.choose import Candidate, candidate, choose
from takeroot.search.methods import dtype_of
from takeroot.search.substitute import substituted
from takeroot.search.work import Part, Work

SUBSTITUTE = "substitute"


def check(recipe: Recipe, *, allow_download: bool = False) -> None:
    """Refuse, before any row is read, a model that cannot predict hidden words.

    Raises:
        ModelError: If words are to be substituted, and the model has not kept what that takes.
        RecipeError: If a model for it is named, and they are not; or if there are no rows.
    """
    named = recipe.fit.augment_model
    if recipe.fit.augment and recipe.fit.method == "zero_shot":
        raise RecipeError("fit.augment: fit.method: zero_shot has no rows that could be changed")
    if SUBSTITUTE in recipe.fit.augment:
        key = "model" if named is None else "fit.augment_model"
        masked.check(key, named or recipe.model, allow_download=allow_download)
    elif named is not None:
        raise RecipeError(
            f"fit.augment_model: {named!r} is for fit.augment: [{SUBSTITUTE}], which is not asked "
            "for; leave it out"
        )


def sha256_of(recipe: Recipe, *, allow_download: bool = False) -> str | None:
    """A hash of the model that substitutes words; None where none does.

    Raises:
        ModelError: If it cannot be found.
    """
    if SUBSTITUTE not in recipe.fit.augment:
        return None
    return masked.sha256_of(recipe.fit.augment_model or recipe.model, allow_download=allow_download)


def worthwhile(work: Work, *, allow_download: bool = False) -> Work:
    """The material with changed copies of its rows, or as it is where they gain nothing.

    Args:
        work: The material.
        allow_download: Whether a hub may be asked for the model that substitutes words.

    Raises:
        ModelError: If that model cannot be loaded.
        RecipeError: If the task is tag.
    """
    changes = work.recipe.fit.augment
    if not changes:
        return work
    if not work.task.pooled:
        raise RecipeError("fit.augment: task tag marks places in its texts, which a change moves")
    more = with_copies(work, allow_download=allow_download)
    count = len(more.rows) - len(work.rows)
    plain, better = _candidate(work, "as they are"), _candidate(more, "with changed copies")
    if choose(work, [plain, better]) is plain:
        work.progress.note(f"fit.augment: refused, as {count:,} copies gain nothing")
        return work
    work.progress.note(f"fit.augment: {count:,} copies ({', '.join(changes)}) are learnt from, too")
    return more


def with_copies(work: Work, *, allow_download: bool = False) -> Work:
    """The material with copies after its rows; a copy is trained on where its row is."""
    fit = work.recipe.fit
    more: dict[str, ChangeOfAll] = {}
    if SUBSTITUTE in fit.augment:
        more[SUBSTITUTE] = _substituting(work, allow_download)
    copies = augmented(work.rows, fit.augment, fit.seed, more)
    owners = np.array([owner for owner, _ in copies], np.int64)
    numbers = len(work.rows) + np.arange(len(copies))
    parts = tuple(
        Part(np.concatenate([part.train, numbers[np.isin(owners, part.train)]]), part.judge)
        for part in work.parts
    )
    rows = (*work.rows, *(copy for _, copy in copies))
    return replace(work, rows=rows, parts=parts, copies=len(copies))


def _substituting(work: Work, allow_download: bool) -> ChangeOfAll:
    """The change that puts other words in the place of some."""
    name = work.recipe.fit.augment_model or work.recipe.model
    network = masked.load_masked(name, work.pretrained, allow_download=allow_download)

    def change(texts: list[str], random: Random) -> list[str]:
        return substituted(network, texts, work.max_tokens, random, work.progress)

    return change


def _candidate(work: Work, name: str) -> Candidate:
    """The cheapest method on this material."""
    if work.pretrained is None:
        judged = tfidf.judge(work)
    else:
        _, judged = probes.prepare(work, dtype_of(work))
    return candidate(work, f"texts {name}", 0.0, judged)
