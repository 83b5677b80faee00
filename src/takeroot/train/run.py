"""One training while it goes on: its steps, its place in the schedule, and its states."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from takeroot.errors import ModelError
from takeroot.train import state
from takeroot.train.average import Average
from takeroot.train.batches import shuffled
from takeroot.train.checkpoint import Snapshot
from takeroot.train.checkpoints import Stage
from takeroot.train.config import History, TrainConfig
from takeroot.train.dropout import set_dropout
from takeroot.train.gradient import Gradient
from takeroot.train.group import Group
from takeroot.train.objective import Objective
from takeroot.train.optimizer import adamw
from takeroot.train.progress import Progress
from takeroot.train.schedule import rate
from takeroot.train.shard import clip, divided, like, local, whole
from takeroot.train.state import Position

TIMED_STEPS = 8  # steps timed before the schedule is fitted to the budget; then again at 16, 32, …
TOLD = 0.1  # share by which a schedule has to change to be told again
REPORT_EVERY = 10  # steps between two progress reports
MOST_BAD = 3  # steps in a row whose loss or gradient is not finite
STATES = 5  # what a state holds a weight: it, two of AdamW's, the average, and the best so far


@dataclass(frozen=True)
class Around:
    """What surrounds a training: who watches it, takes part in it, and keeps its states."""

    progress: Progress
    stage: str
    after_step: Callable[[int, int], None] | None
    kept: Stage | None
    group: Group


class Run:
    """The state of one training: optimizer, average, position in the schedule."""

    def __init__(
        self,
        model: nn.Module,
        objective: Objective,
        rows: Sequence[Any],
        config: TrainConfig,
        around: Around,
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
        self.group = around.group
        self.gradient = Gradient(
            model,
            objective,
            rows,
            self.lengths,
            config.precision,
            self.group,
            config.part_tokens,
        )
        batches = math.ceil(len(rows) / config.batch_size)
        self.steps_an_epoch = math.ceil(batches / config.accumulate)
        self.planned = max(1, round(self.steps_an_epoch * config.epochs))
        self.at = Position(self.planned)
        self.told = self.planned
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
            if at.done >= TIMED_STEPS and not at.done & (at.done - 1):
                self.fit_budget()
            self._report(share)
            self._offer()
        at.epoch = None
        return _loss_figure(at.losses)

    def step(self, batches: list[np.ndarray], share: float) -> float:
        """One optimizer step over the given batches at a share of the highest rate; the loss."""
        self.at.done += 1
        if self.group.size > 1:  # each draws numbers of its own, and the same when gone on with
            torch.manual_seed(_seed(self.config.seed, self.at.done, self.group.rank))
        at_once = self.gradient.most_tokens
        loss = self.gradient.add(batches)
        if self.gradient.most_tokens < at_once:
            self._happened(
                f"memory ran out; from here on {self.gradient.most_tokens} tokens are computed at "
                "once, and the batch is as large as before"
            )
        most = self.config.clip
        if self.config.shard:
            norm = clip(self.trained, most, self.group)
        else:
            norm = nn.utils.clip_grad_norm_(self.trained, most)
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
        score = math.nan
        if self.group.leads or self.config.shard:  # every process is needed for each layer
            score = self.objective.score(self.model, rows, self.config.precision)
        return self.group.same(score)

    def fit_budget(self) -> None:
        """Make the schedule as long as the time budget allows at the pace so far.

        It grows again, up to what was planned, in its first half only: later, the learning rate
        would have to rise.
        """
        if self.config.budget_s is None:
            return
        at, each = self.at, (time.monotonic() - self.started) / self.at.done
        affordable = int(self.group.same(max(int(self.config.budget_s / each), at.done)))
        longest = self.planned if 2 * at.done < at.total else at.total
        at.total = min(affordable, longest)
        if abs(at.total - self.told) > TOLD * self.told:
            self.around.progress.note(
                f"{self.around.stage}: {self.planned} steps would take {self.planned * each:.0f} "
                f"s; the time limit leaves {self.config.budget_s:.0f} s, so {at.total} steps"
            )
            self.told = at.total

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
        found = None if kept is None else kept.newest()
        if found is not None:
            state.check_identity(found.values["identity"], self._identity(), self.around.stage)
        elif kept is not None:
            kept.check_space(STATES * sum(p.nbytes for p in self.trained))
        found = self.group.share(found)
        if found is not None:
            self._restore(found)
        if kept is not None and kept.log is not None:
            kept.log.rewind(self.at.done)
        return found is not None and found.values["over"]

    def settle(self) -> None:
        """Give the model its final weights."""
        if self.best:
            state.put(state.changing(self.model), self.best)
        else:
            self.average.keep()
        kept = self.around.kept
        if self.config.shard or kept is not None:
            snapshot = self._snapshot(over=True)
            if kept is not None:
                kept.finish(lambda: snapshot)

    def _offer(self) -> None:
        """Keep a state if it is time to."""
        kept = self.around.kept
        if self.config.shard:  # the leader looks at the clock, and all give their shares
            if self.group.same(float(kept is not None and kept.due())):
                snapshot = self._snapshot(over=False)
                if kept is not None:
                    kept.offer(self.at.done, lambda: snapshot)
        elif kept is not None:
            kept.offer(self.at.done, lambda: self._snapshot(over=False))

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
        tensors = {"model": whole(state.changing(self.model))}
        if not over:
            averages = map(like, self.trained, self.average.values())
            tensors["optimizer"] = whole(state.optimizer_tensors(self.model, self.optimizer))
            tensors["average"] = whole({str(k): value for k, value in enumerate(averages)})
            tensors["best"] = whole(self.best)
        return Snapshot(values, tensors)

    def _restore(self, found: Snapshot) -> None:
        """Become what a snapshot holds."""
        values, tensors = found.values, found.tensors
        self.at = Position.from_json(values["position"])
        self.told = self.at.total
        self.started = time.monotonic() - self.at.elapsed_s
        self.gradient.most_tokens, self.gradient.halvings = values["parts"]
        self.history = History(**values["history"])
        state.put(state.changing(self.model), tensors["model"])
        if not values["over"]:
            state.put_optimizer(self.model, self.optimizer, tensors["optimizer"])
            pairs = ((p, tensors["average"].get(str(k))) for k, p in enumerate(self.trained))
            averages = [local(divided(p, value)) for p, value in pairs if value is not None]
            self.average.restore(averages)
            self.best = dict(tensors["best"])
        state.put_random_state(values["random"])

    def _identity(self) -> dict[str, str]:
        """What tells this training from others."""
        return state.identity(
            self.model, self.lengths, self.config, self.objective.metric, self.group.size
        )


def _seed(seed: int, step: int, rank: int) -> int:
    """A seed for one process's step, unlike those of all others."""
    return int(np.random.SeedSequence([seed, step, rank]).generate_state(1)[0])


def _loss_figure(losses: list[float]) -> dict[str, float]:
    """The mean loss by its name; nothing where none was finite, as JSON has no such number."""
    finite = [loss for loss in losses if math.isfinite(loss)]
    return {"loss": float(np.mean(finite))} if finite else {}
