"""The one training loop.

AdamW (Loshchilov & Hutter 2019, arXiv:1711.05101) with linear warm-up and linear or cosine decay,
gradient clipping and accumulation, and a moving average of the weights as the result.

Where the time budget is short, the whole schedule is shortened after the first steps have been
timed, rather than cut off: a decayed learning rate is worth more than the last epoch. It is fitted
again whenever twice as many steps are done, as the pace of a shared machine changes.

With ``keep``, the state is kept now and then, and a training that was cut off, at whatever moment,
goes on to the very same weights.

Several processes may train together (``group.py``). Each goes through the same steps on its share
of the rows; what depends on the clock, on files or on held-out rows is the leader's to say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import nn

from takeroot.errors import DataError
from takeroot.train import state
from takeroot.train.checkpoints import Checkpoints
from takeroot.train.config import History, TrainConfig
from takeroot.train.group import Group, current
from takeroot.train.helpers import Job, local_threads
from takeroot.train.objective import Objective
from takeroot.train.progress import Progress, Silent
from takeroot.train.recompute import recomputing
from takeroot.train.run import Around, Run
from takeroot.train.shard import sharded, whole


def train(  # noqa: PLR0913  what is optional is named
    model: nn.Module,
    objective: Objective,
    rows: Sequence[Any],
    config: TrainConfig,
    *,
    valid: Sequence[Any] = (),
    progress: Progress | None = None,
    stage: str = "training",
    after_step: Callable[[int, int], None] | None = None,
    keep: Checkpoints | None = None,
) -> History:
    """Train ``model`` in place; its weights are then the best (early stopping) or the averaged.

    Args:
        model: The network; parameters with ``requires_grad`` are trained, those of its ``head`` at
            a rate of their own.
        objective: Gives loss and score.
        rows: Training rows, as the objective takes them.
        config: How.
        valid: Rows that are scored after each epoch and decide early stopping.
        progress: Where to report to.
        stage: What the report calls this training.
        after_step: Called with the number of steps so far and that of all (which a time budget may
            lower) after each one whose loss and gradient were finite, while the gradients are
            still there. What it remembers must be in the model's buffers, or follow from them.
        keep: Where states are kept, and one that is there already is gone on from.

    Raises:
        DataError: If there are no rows.
        ModelError: If the loss is not finite three times in a row, or another process has ended.
        OutOfMemoryError: If memory is too short for even small parts of a batch.
        CheckpointError: If a state cannot be kept, or the kept one is of another training.
        DiskFullError: If the disk is too full for states.
        Stopped: If ``keep`` was asked to stop; the state is kept.
    """
    if not rows:
        raise DataError(f"{stage}: there are no training rows")
    group = current()
    if group.leads:
        group.share(Job(model, objective, rows, config, valid, stage, after_step))
    kept = None if keep is None else keep.stage(stage)
    around = Around(progress or Silent(), stage, after_step, kept, group)
    with torch.random.fork_rng(devices=[]), _threads(group):  # its seed is nobody else's
        torch.manual_seed(config.seed)
        held = sharded(model, group) if config.shard else model
        run = Run(held, objective, rows, config, around)
        with nullcontext() if keep is None else keep.stop.awaited():
            if not run.go_on():
                with recomputing(held, config.recompute):
                    _epochs(run, valid)
                run.settle()
        if held is not model:
            state.put(state.changing(model), whole(state.changing(held)))
    model.eval()
    return run.history


@contextmanager
def _threads(group: Group) -> Iterator[None]:
    """Inside the block, the processes of one machine divide its cores."""
    before = torch.get_num_threads()
    if group.size > 1:
        torch.set_num_threads(local_threads())
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _epochs(run: Run, valid: Sequence[Any]) -> None:
    """Train to the end of the schedule or of patience."""
    at, patience = run.at, run.config.patience if valid else None
    while at.epoch is not None or at.done < at.total:
        figures = run.epoch()
        record = {"epoch": at.done / run.steps_an_epoch, **figures}
        if valid:
            with run.average.swapped():
                score = record[run.objective.metric] = run.score(valid)
                at.since = 0 if score > at.best_score else at.since + 1
                if patience is not None and score > at.best_score:
                    run.best = state.copies(state.changing(run.model))
            at.best_score = max(at.best_score, score)
        run.history.epochs.append(record)
        run.log({"step": at.done, **record})
        if patience is not None and at.since >= patience:
            break
        if valid:
            run.fit_budget()
