"""The one training loop.

AdamW (Loshchilov & Hutter 2019, arXiv:1711.05101) with linear warm-up and linear or cosine decay,
gradient clipping and accumulation, and an exponential moving average of the weights as the result
(Polyak & Juditsky 1992), because the average is better than the last step and costs nothing.

Where the time budget is short, the whole schedule is shortened after the first steps have been
timed, rather than cut off: a decayed learning rate is worth more than the last epoch.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from takeroot.errors import ModelError
from takeroot.models.text_model import TextModel
from takeroot.tasks import Encoded, Task
from takeroot.train.batches import collate, shuffled
from takeroot.train.contrastive import contrastive_loss
from takeroot.train.embed import predict
from takeroot.train.precision import autocast
from takeroot.train.progress import Progress, Silent

TIMED_STEPS = 8  # steps timed before the schedule is fitted to the budget
REPORT_EVERY = 10  # steps between two progress reports


@dataclass(frozen=True)
class TrainConfig:
    """How to train.

    Args:
        epochs: Passes over the rows; fractions are allowed.
        learning_rate: Highest rate of the encoder.
        head_learning_rate: Highest rate of the head.
        batch_size: Rows a step.
        accumulate: Batches whose gradients are summed before a step.
        weight_decay: AdamW's.
        warmup_share: Share of all steps over which the rate rises from 0.
        schedule: ``linear`` or ``cosine`` decay to 0.
        clip: Largest norm of the gradient.
        dropout: Probability of dropping a hidden unit.
        average: Decay of the weights' moving average a step, 0 for none.
        contrastive: Weight of the supervised contrastive loss beside the task's own.
        patience: Epochs without a better validation score before stopping; None for never.
        precision: Format of the matrix products.
        budget_s: Seconds the training may take, or None.
        seed: Of data order and dropout.
    """

    epochs: float = 3.0
    learning_rate: float = 1e-4
    head_learning_rate: float = 1e-4
    batch_size: int = 32
    accumulate: int = 1
    weight_decay: float = 0.01
    warmup_share: float = 0.1
    schedule: str = "linear"
    clip: float = 1.0
    dropout: float = 0.0
    average: float = 0.99
    contrastive: float = 0.0
    patience: int | None = None
    precision: torch.dtype = torch.float32
    budget_s: float | None = None
    seed: int = 0


@dataclass
class History:
    """What happened: one row a report and one an epoch, as the report draws them."""

    steps: list[dict[str, float]] = field(default_factory=list)
    epochs: list[dict[str, float]] = field(default_factory=list)


def train(
    model: TextModel,
    task: Task,
    rows: Sequence[Encoded],
    config: TrainConfig,
    *,
    valid: Sequence[Encoded] = (),
    progress: Progress | None = None,
    stage: str = "training",
) -> History:
    """Train ``model`` in place and leave the best (or the averaged) weights in it.

    Args:
        model: The network; parameters with ``requires_grad`` are trained.
        task: Gives loss and score.
        rows: Training rows.
        config: How.
        valid: Rows that decide early stopping; without them there is none.
        progress: Where to report to.
        stage: What the report calls this training.

    Raises:
        ModelError: If the loss is not finite three times in a row.
    """
    run = _Run(model, task, rows, config, progress or Silent(), stage)
    best_score, best_weights, since = -1.0, None, 0
    while run.done < run.total:
        losses = run.epoch()
        record = {"epoch": run.done / run.steps_an_epoch, "loss": losses}
        if len(valid):
            with run.averaged():
                score = task.score(predict(model, valid, dtype=config.precision)[0], valid)
                record[task.metric] = score
                if score > best_score:
                    best_score, since = score, 0
                    best_weights = copy.deepcopy(model.state_dict())
                else:
                    since += 1
        run.history.epochs.append(record)
        if config.patience is not None and since >= config.patience:
            break
    if best_weights is not None and config.patience is not None:
        model.load_state_dict(best_weights)
    else:
        run.keep_average()
    model.eval()
    return run.history


class _Run:
    """The state of one training: optimizer, average, position in the schedule."""

    def __init__(
        self,
        model: TextModel,
        task: Task,
        rows: Sequence[Encoded],
        config: TrainConfig,
        progress: Progress,
        stage: str,
    ) -> None:
        self.model, self.task, self.rows, self.config = model, task, rows, config
        self.progress, self.stage = progress, stage
        self.history = History()
        self.random = np.random.default_rng(config.seed)
        torch.manual_seed(config.seed)
        set_dropout(model, config.dropout)
        self.trained = [p for p in model.parameters() if p.requires_grad]
        self.optimizer = _optimizer(model, config)
        self.average = [p.detach().clone() for p in self.trained] if config.average else None
        self.lengths = np.array([len(row.ids) for row in rows])
        batches = math.ceil(len(rows) / config.batch_size)
        self.steps_an_epoch = math.ceil(batches / config.accumulate)
        self.total = max(1, round(self.steps_an_epoch * config.epochs))
        self.done = 0
        self.bad = 0
        self.started = time.monotonic()

    def epoch(self) -> float:
        """Train over all rows once, or up to the last step; the mean loss."""
        self.model.train()
        losses = []
        batches = shuffled(self.lengths, self.config.batch_size, self.random)
        for start in range(0, len(batches), self.config.accumulate):
            if self.done >= self.total:
                break
            losses.append(self.step(batches[start : start + self.config.accumulate]))
            self._fit_budget()
            self._report(losses)
        return float(np.mean(losses))

    def step(self, batches: list[np.ndarray]) -> float:
        """One optimizer step over the given batches; the loss a row."""
        count = sum(len(numbers) for numbers in batches)
        total = 0.0
        for numbers in batches:
            loss = self._loss([self.rows[k] for k in numbers]) * (len(numbers) / count)
            loss.backward()  # type: ignore[no-untyped-call]
            total += float(loss.detach())
        norm = nn.utils.clip_grad_norm_(self.trained, self.config.clip)
        if math.isfinite(total) and bool(torch.isfinite(norm)):
            self.bad = 0
            for group in self.optimizer.param_groups:
                group["lr"] = group["highest"] * self._rate()
            self.optimizer.step()
            self._update_average()
        else:
            self.bad += 1
            if self.bad == 3:
                raise ModelError(
                    f"training: loss or gradient was not finite three times in a row at step "
                    f"{self.done}; try a lower fit.learning_rate than {self.config.learning_rate}"
                )
        self.optimizer.zero_grad(set_to_none=True)
        self.done += 1
        return total

    def _loss(self, rows: list[Encoded]) -> Tensor:
        """The task's loss of some rows, with the contrastive one where it is asked for."""
        batch = collate(rows)
        with autocast(self.config.precision):
            vectors = self.model.embed(batch.ids, batch.mask, batch.types)
        loss = self.task.loss(self.model.head(vectors), rows)
        if self.config.contrastive:
            labels = torch.tensor([row.target for row in rows])
            loss = loss + self.config.contrastive * contrastive_loss(vectors, labels)
        return loss

    def _rate(self) -> float:
        """The schedule: share of the highest rate at this step."""
        warm = max(1, round(self.total * self.config.warmup_share))
        if self.done < warm:
            return (self.done + 1) / warm
        share = (self.done - warm) / max(1, self.total - warm)
        return 1 - share if self.config.schedule == "linear" else 0.5 * (1 + math.cos(math.pi * share))

    def _fit_budget(self) -> None:
        """After some steps, shorten the schedule to what the time budget allows."""
        if self.config.budget_s is None or self.done != TIMED_STEPS:
            return
        each = (time.monotonic() - self.started) / self.done
        affordable = int(self.config.budget_s / each)
        if affordable < self.total:
            self.progress.note(
                f"{self.stage}: {self.total} steps would take {self.total * each:.0f} s; the time "
                f"limit leaves {self.config.budget_s:.0f} s, so {affordable} steps"
            )
            self.total = max(affordable, self.done)

    def _report(self, losses: list[float]) -> None:
        if self.done % REPORT_EVERY == 0 or self.done == self.total:
            loss = float(np.mean(losses[-REPORT_EVERY:]))
            rate = self._rate() * self.config.learning_rate
            self.history.steps.append({"step": self.done, "loss": loss, "lr": rate})
            self.progress.step(self.stage, self.done, self.total, {"loss": loss})

    def _update_average(self) -> None:
        """Move the average towards the weights; faster at first, so that the start is forgotten."""
        if self.average is not None:
            decay = min(self.config.average, (1 + self.done) / (10 + self.done))
            values = [p.detach() for p in self.trained]
            torch._foreach_lerp_(self.average, values, 1 - decay)

    def keep_average(self) -> None:
        """Put the averaged weights into the model for good."""
        if self.average is not None:
            with torch.no_grad():
                torch._foreach_copy_(self.trained, self.average)

    def averaged(self) -> _Swapped:
        """A context in which the model holds the averaged weights."""
        return _Swapped(self.trained, self.average)


class _Swapped:
    """Holds other weights in a model's parameters for a while."""

    def __init__(self, trained: list[nn.Parameter], other: list[Tensor] | None) -> None:
        self.trained, self.other = trained, other

    def __enter__(self) -> None:
        if self.other is not None:
            self.kept = [p.detach().clone() for p in self.trained]
            with torch.no_grad():
                torch._foreach_copy_(self.trained, self.other)

    def __exit__(self, *_: object) -> None:
        if self.other is not None:
            with torch.no_grad():
                torch._foreach_copy_(self.trained, self.kept)


def set_dropout(model: nn.Module, probability: float) -> None:
    """Use one dropout probability on hidden states throughout, and none on attention.

    NOTE: attention modules keep the probability in an attribute of their own.
    """
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = probability
        for name in ("dropout_prob", "attention_dropout"):
            if isinstance(getattr(module, name, None), float):
                setattr(module, name, 0.0)


def _optimizer(model: TextModel, config: TrainConfig) -> torch.optim.AdamW:
    """AdamW with no decay on biases and norms, and the head at a rate of its own."""
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            rate = config.head_learning_rate if name.startswith("head.") else config.learning_rate
            decay = config.weight_decay if parameter.ndim > 1 else 0.0
            groups.setdefault((rate, decay), []).append(parameter)
    return torch.optim.AdamW(
        [
            {"params": parameters, "lr": rate, "highest": rate, "weight_decay": decay}
            for (rate, decay), parameters in groups.items()
        ],
        fused=True,
    )
