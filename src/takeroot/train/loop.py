"""The one training loop.

AdamW (Loshchilov & Hutter 2019, arXiv:1711.05101) with linear warm-up and linear or cosine decay,
gradient clipping and accumulation, and a moving average of the weights as the result.

Where the time budget is short, the whole schedule is shortened after the first steps have been
timed, rather than cut off: a decayed learning rate is worth more than the last epoch.

With ``keep``, the state is kept now and then, and a training that was cut off, at whatever moment,
goes on to the very same weights.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from takeroot.errors import DataError, ModelError
from takeroot.train import state
from takeroot.train.average import Average
from takeroot.train.batches import shuffled
from takeroot.train.checkpoint import Snapshot
from takeroot.train.checkpoints import Checkpoints, Stage
from takeroot.train.config import History, TrainConfig
from takeroot.train.dropout import set_dropout
from takeroot.train.gradient import Gradient
from takeroot.train.objective import Objective
from takeroot.train.optimizer import adamw
from takeroot.train.progress import Progress, Silent
from takeroot.train.recompute import recomputing
from takeroot.train.schedule import rate
from takeroot.train.state import Position

TIMED_STEPS = 8  # steps timed before the schedule is fitted to the budget
REPORT_EVERY = 10  # steps between two progress reports
MOST_BAD = 3  # steps in a row whose loss or gradient is not finite
STATES = 5  # what a state holds a weight: it, two of AdamW's, the average, and the best so far


@dataclass(frozen=True)
class _Around:
    """What surrounds a training: who watches it, takes part in it, and keeps its states."""

    progress: Progress
    stage: str
    after_step: Callable[[int, int], None] | None
    kept: Stage | None


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
        ModelError: If the loss is not finite three times in a row.
        OutOfMemoryError: If memory is too short for even small parts of a batch.
        CheckpointError: If a state cannot be kept, or the kept one is of another training.
        DiskFullError: If the disk is too full for states.
        Stopped: If ``keep`` was asked to stop; the state is kept.
    """
    if not rows:
        raise DataError(f"{stage}: there are no training rows")
    kept = None if keep is None else keep.stage(stage)
    around = _Around(progress or Silent(), stage, after_step, kept)
    with torch.random.fork_rng(devices=[]):  # its seed is nobody else's
        torch.manual_seed(config.seed)
        run = _Run(model, objective, rows, config, around)
        with nullcontext() if keep is None else keep.stop.awaited():
            if not run.go_on():
                with recomputing(model, config.recompute):
                    _epochs(run, valid)
                run.settle()
    model.eval()
    return run.history


def _epochs(run: _Run, valid: Sequence[Any]) -> None:
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


class _Run:
    """The state of one training: optimizer, average, position in the schedule."""

    def __init__(
        self,
        model: nn.Module,
        objective: Objective,
        rows: Sequence[Any],
        config: TrainConfig,
        around: _Around,
    ) -> None:
        self.model, self.objective, self.rows, self.config = model, objective, rows, config
        self.around = around
        self.history = History()
        self.random = np.random.default_rng(config.seed)
        set_dropout(model, config.dropout)
        self.trained = [p for p in model.parameters() if p.requires_grad]
        self.optimizer = adamw(model, config)
        self.average = Average(self.trained, config.average)
        self.best: dict[str, Tensor] = {}
        self.lengths = objective.lengths(rows)
        self.gradient = Gradient(model, objective, rows, self.lengths, config.precision)
        batches = math.ceil(len(rows) / config.batch_size)
        self.steps_an_epoch = math.ceil(batches / config.accumulate)
        self.at = Position(max(1, round(self.steps_an_epoch * config.epochs)))
        self.started = time.monotonic()

    def epoch(self) -> dict[str, float]:
        """Train to the end of the epoch, or up to the last step; the mean loss as a figure."""
        self.model.train()
        at = self.at
        if at.epoch is None:  # or else an earlier process has begun it
            at.epoch, at.batch, at.losses = dict(self.random.bit_generator.state), 0, []
        self.random.bit_generator.state = at.epoch
        batches = shuffled(self.lengths, self.config.batch_size, self.random)
        for start in range(at.batch, len(batches), self.config.accumulate):
            if at.done >= at.total:
                break
            share = rate(at.done, at.total, self.config.warmup_share, self.config.schedule)
            at.losses.append(self.step(batches[start : start + self.config.accumulate], share))
            at.batch = start + self.config.accumulate
            if at.done == TIMED_STEPS:
                self.fit_budget()
            self._report(share)
            if self.around.kept is not None:
                self.around.kept.offer(at.done, self.snapshot)
        at.epoch = None
        return _loss_figure(at.losses)

    def step(self, batches: list[np.ndarray], share: float) -> float:
        """One optimizer step over the given batches at a share of the highest rate; the loss."""
        self.at.done += 1
        at_once = self.gradient.most_tokens
        loss = self.gradient.add(batches)
        if self.gradient.most_tokens < at_once:
            self._happened(
                f"memory ran out; from here on {self.gradient.most_tokens} tokens are computed at "
                "once, and the batch is as large as before"
            )
        norm = nn.utils.clip_grad_norm_(self.trained, self.config.clip)
        if math.isfinite(loss) and bool(torch.isfinite(norm)):
            self.at.bad = 0
            for group in self.optimizer.param_groups:
                group["lr"] = group["highest"] * share
            self.optimizer.step()
            if self.around.after_step is not None:
                self.around.after_step(self.at.done, self.at.total)
            self.average.update(self.at.done - 1)
        else:
            self._leave_out("gradient" if math.isfinite(loss) else "loss")
        self.optimizer.zero_grad(set_to_none=True)
        return loss

    def _leave_out(self, what: str) -> None:
        """Count a step that was not taken.

        Raises:
            ModelError: If it is the third in a row.
        """
        self.at.bad += 1
        self._happened(f"the {what} was not finite; the step was left out")
        if self.at.bad == MOST_BAD:
            raise ModelError(
                f"{self.around.stage}: the {what} was not finite three times in a row at step "
                f"{self.at.done}; try a lower fit.learning_rate than {self.config.learning_rate}"
            )

    def _happened(self, event: str) -> None:
        """Record and tell what is out of the ordinary."""
        self.history.events.append({"step": self.at.done, "event": event})
        self.around.progress.note(f"{self.around.stage}, step {self.at.done}: {event}")

    def score(self, rows: Sequence[Any]) -> float:
        """The objective's metric on some rows."""
        return self.objective.score(self.model, rows, self.config.precision)

    def fit_budget(self) -> None:
        """Shorten the schedule to what the time budget allows at the pace so far."""
        if self.config.budget_s is None:
            return
        at, each = self.at, (time.monotonic() - self.started) / self.at.done
        affordable = max(int(self.config.budget_s / each), at.done)
        if affordable < at.total:
            self.around.progress.note(
                f"{self.around.stage}: {at.total} steps would take {at.total * each:.0f} s; the "
                f"time limit leaves {self.config.budget_s:.0f} s, so {affordable} steps"
            )
            at.total = affordable

    def _report(self, share: float) -> None:
        """Tell how it goes, every few steps and after the last."""
        at, highest = self.at, self.config.learning_rate
        now = {"lr": share * highest}
        self.log({"step": at.done, "total": at.total, "loss": at.losses[-1], **now})
        if at.done % REPORT_EVERY == 0 or at.done == at.total:
            figures = _loss_figure(at.losses[-REPORT_EVERY:])
            self.history.steps.append({"step": float(at.done), **now, **figures})
            self.around.progress.step(self.around.stage, at.done, at.total, figures)

    def log(self, figures: dict[str, float]) -> None:
        """List figures for whoever watches."""
        if self.around.kept is not None and self.around.kept.log is not None:
            self.around.kept.log.add(figures)

    def go_on(self) -> bool:
        """Take up the newest state; whether it is of a training that is over."""
        kept = self.around.kept
        if kept is None:
            return False
        found = kept.newest()
        if found is None:
            kept.check_space(STATES * sum(p.nbytes for p in self.trained))
        else:
            state.check_identity(found.values["identity"], self._identity(), self.around.stage)
            self._restore(found)
        if kept.log is not None:
            kept.log.rewind(self.at.done)
        return found is not None and found.values["over"]

    def settle(self) -> None:
        """Give the model its final weights."""
        if self.best:
            state.put(state.changing(self.model), self.best)
        else:
            self.average.keep()
        if self.around.kept is not None:
            self.around.kept.finish(lambda: self._snapshot(over=True))

    def snapshot(self) -> Snapshot:
        """All that is needed to go on from here."""
        return self._snapshot(over=False)

    def _snapshot(self, over: bool) -> Snapshot:
        """The state; the model alone where the training is over."""
        self.at.elapsed_s = time.monotonic() - self.started
        values = {
            "over": over,
            "identity": self._identity(),
            "position": self.at.to_json(),
            "parts": [self.gradient.most_tokens, self.gradient.halvings],
            "history": asdict(self.history),
            "random": state.random_state(),
        }
        tensors = {"model": state.changing(self.model)}
        if not over:
            averages = self.average.values()
            tensors["optimizer"] = state.optimizer_tensors(self.model, self.optimizer)
            tensors["average"] = {str(place): value for place, value in enumerate(averages)}
            tensors["best"] = self.best
        return Snapshot(values, tensors)

    def _restore(self, found: Snapshot) -> None:
        """Become what a snapshot holds."""
        values, tensors = found.values, found.tensors
        self.at = Position.from_json(values["position"])
        self.started = time.monotonic() - self.at.elapsed_s
        self.gradient.most_tokens, self.gradient.halvings = values["parts"]
        self.history = History(**values["history"])
        state.put(state.changing(self.model), tensors["model"])
        if not values["over"]:
            state.put_optimizer(self.model, self.optimizer, tensors["optimizer"])
            averages = tensors["average"]
            self.average.restore([averages[str(place)] for place in range(len(averages))])
            self.best = dict(tensors["best"])
        state.put_random_state(values["random"])

    def _identity(self) -> dict[str, str]:
        """What tells this training from others."""
        return state.identity(self.model, self.lengths, self.config, self.objective.metric)


def _loss_figure(losses: list[float]) -> dict[str, float]:
    """The mean loss by its name; nothing where none was finite, as JSON has no such number."""
    finite = [loss for loss in losses if math.isfinite(loss)]
    return {"loss": float(np.mean(finite))} if finite else {}
