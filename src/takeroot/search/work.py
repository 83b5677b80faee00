"""What every candidate is given: the rows, how they are judged, and how much time is left."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from threadpoolctl import threadpool_limits

from takeroot.bundle import Outputs
from takeroot.bundle.cores import usable_cores
from takeroot.data import Example, folds
from takeroot.models.load import Pretrained
from takeroot.recipe import Recipe
from takeroot.search.also import Also
from takeroot.tasks import Task
from takeroot.train import Progress
from takeroot.train.checkpoints import Checkpoints
from takeroot.train.clock import Clock

Item = TypeVar("Item")
Result = TypeVar("Result")

EXPORT_S = 25.0  # of a time limit, kept back for export, replay and report
FEW_ROWS = 2000  # below, rows are too precious to hold out: candidates are cross-validated
FOLDS = 5


@dataclass(frozen=True)
class Part:
    """Rows to train on and rows to judge by, as numbers into ``Work.rows``."""

    train: np.ndarray
    judge: np.ndarray


@dataclass(frozen=True)
class Work:
    """One run's material.

    Args:
        recipe: The resolved recipe.
        task: What is learnt.
        rows: All labelled rows but the test's.
        parts: One held-out part, or the folds of a cross-validation.
        pretrained: The encoder, or None where it is not to be used.
        max_tokens: What the encoder reads of a text.
        progress: Where to report to.
        clock: The time limit.
        unlabelled: Texts without labels that may be learnt from as well.
        also: Further tasks that are learnt along with this one.
        copies: How many rows, the last ones, are changed copies: trained on, never judged.
        keep: Where the states of its trainings are kept.
        measured: Called with a name and what measures it; what an earlier process of the run has
            measured is not measured again.
    """

    recipe: Recipe
    task: Task
    rows: tuple[Example, ...]
    parts: tuple[Part, ...]
    pretrained: Pretrained | None
    max_tokens: int
    progress: Progress
    clock: Clock
    unlabelled: tuple[Example, ...] = ()
    also: tuple[Also, ...] = ()
    copies: int = 0
    keep: Checkpoints | None = None
    measured: Callable[[str, Callable[[], Any]], Any] = lambda name, measure: measure()

    @property
    def few(self) -> bool:
        """Whether rows are so few that every one of them is judged, and each counts in training."""
        return sum(len(part.judge) for part in self.parts) == self.own

    @property
    def own(self) -> int:
        """How many rows are no copies; they come first."""
        return len(self.rows) - self.copies

    def pick(self, numbers: Sequence[int] | np.ndarray) -> list[Example]:
        """Some of the rows."""
        return [self.rows[k] for k in numbers]


@dataclass(frozen=True)
class Judged:
    """What a candidate says about rows it has not seen.

    Args:
        rows: Their numbers, rising.
        outputs: In that order.
    """

    rows: np.ndarray
    outputs: Outputs


def cross_validation(rows: Sequence[Example], seed: int) -> tuple[Part, ...]:
    """The folds, stratified by class."""
    fold = folds(rows, min(FOLDS, len(rows)), seed)
    parts = [Part(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(FOLDS)]
    return tuple(part for part in parts if len(part.judge) and len(part.train))


def side_by_side(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    done: Callable[[int], None] = lambda count: None,
) -> list[Result]:
    """The function's result for each item, on as many threads as the process may use cores.

    It pays where numpy and scipy compute, which lets other threads run meanwhile.

    Args:
        function: Called in another thread.
        items: One call each.
        done: Called in this thread with the number of results so far.
    """
    results = []
    pool = ThreadPoolExecutor(usable_cores())
    try:
        with threadpool_limits(1, "blas"):
            for result in pool.map(function, items):
                results.append(result)
                done(len(results))
    finally:  # after Ctrl-C nobody waits for calls that run on
        pool.shutdown(wait=len(results) == len(items), cancel_futures=True)
    return results


def gather(parts: Sequence[Part], outputs: Sequence[Outputs]) -> Judged:
    """The outputs of several parts' judged rows, put in order of the rows."""
    rows = np.concatenate([part.judge for part in parts])
    order = np.argsort(rows, kind="stable")
    if outputs[0].words is not None:
        logits: list[np.ndarray] = [row for each in outputs for row in each.logits]
        words = [row for each in outputs for row in each.words or []]
        return Judged(
            rows[order], Outputs([logits[k] for k in order], None, [words[k] for k in order])
        )
    joined = np.concatenate([np.asarray(each.logits) for each in outputs])[order]
    vectors = [each.embedding for each in outputs if each.embedding is not None]
    embedding = np.concatenate(vectors)[order] if len(vectors) == len(outputs) else None
    return Judged(rows[order], replace(outputs[0], logits=joined, embedding=embedding))
