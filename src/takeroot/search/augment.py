"""``fit.augment``: changed copies of the training texts, kept where held-out rows are gained.

The gain is measured with the cheapest method that will be used, the solved head or TF-IDF, on the
rows it is judged by; copies of a row that is judged are in no training, and no copy is ever judged.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from takeroot.data.augment import augmented
from takeroot.errors import RecipeError
from takeroot.search import probe as probes
from takeroot.search import tfidf
from takeroot.search.choose import Candidate, candidate, choose
from takeroot.search.methods import dtype_of
from takeroot.search.work import Part, Work


def worthwhile(work: Work) -> Work:
    """The material with changed copies of its rows, or as it is where they gain nothing.

    Raises:
        RecipeError: If the task is tag.
    """
    changes = work.recipe.fit.augment
    if not changes:
        return work
    if not work.task.pooled:
        raise RecipeError("fit.augment: task tag marks places in its texts, which a change moves")
    more = with_copies(work)
    count = len(more.rows) - len(work.rows)
    plain, better = _candidate(work, "as they are"), _candidate(more, "with changed copies")
    if choose(work, [plain, better]) is plain:
        work.progress.note(f"fit.augment: refused, as {count:,} copies gain nothing")
        return work
    work.progress.note(f"fit.augment: {count:,} copies ({', '.join(changes)}) are learnt from, too")
    return more


def with_copies(work: Work) -> Work:
    """The material with copies after its rows; a copy is trained on where its row is."""
    fit = work.recipe.fit
    copies = augmented(work.rows, fit.augment, fit.seed)
    owners = np.array([owner for owner, _ in copies], np.int64)
    numbers = len(work.rows) + np.arange(len(copies))
    parts = tuple(
        Part(np.concatenate([part.train, numbers[np.isin(owners, part.train)]]), part.judge)
        for part in work.parts
    )
    rows = (*work.rows, *(copy for _, copy in copies))
    return replace(work, rows=rows, parts=parts, copies=len(copies))


def _candidate(work: Work, name: str) -> Candidate:
    """The cheapest method on this material."""
    if work.pretrained is None:
        judged = tfidf.judge(work)
    else:
        _, judged = probes.prepare(work, dtype_of(work))
    return candidate(work, f"texts {name}", 0.0, judged)
