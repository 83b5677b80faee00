"""The one training loop.

AdamW (Loshchilov & Hutter 2019, arXiv:1711.05101) with linear warm-up and linear or cosine decay,
gradient clipping and accumulation, and a moving average of the weights as the result.

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

from takeroot.errors import DataError, ModelError
from takeroot.models.text_model import TextModel
from takeroot.tasks import Encoded, Task
from takeroot.train.average import Average
from takeroot.train.batches import collate, shuffled
from takeroot.train.contrastive import contrastive_loss
from takeroot.train.dropout import set_dropout
from takeroot.train.embed import predict
from takeroot.train.masking import Masking
from takeroot.train.precision import autocast
from takeroot.train.progress import Progress, Silent
from takeroot.train.schedule import rate

TIMED_STEPS = 8  # steps timed before the schedule is fitted to the budget
REPORT_EVERY = 10  # steps between two progress reports
MOST_TOKENS = 2048  # padded tokens computed at once: what memory grows with
MOST_BAD = 3  # steps in a row whose loss or gradient is not finite


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
        masking: Tokens hidden at random, or None.
        average: Decay of the weights' moving average a step, 0 for none.
        contrastive: Weight of the supervised contrastive loss beside the task's own; 0 for tasks
            that give a row any number of labels.
        patience: Epochs without a better validation score before stopping, 1 or more; None for
            never.
        precision: Format of the matrix products.
        budget_s: Seconds the training may take, or None.
        seed: Of data order, dropout and masking.
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
    masking: Masking | None = None
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
    """Train ``model`` in place; its weights are then the best (early stopping) or the averaged.

    Args:
        model: The network; parameters with ``requires_grad`` are trained.
        task: Gives loss and score.
        rows: Training rows.
        config: How.
        valid: Rows that are scored after each epoch and decide early stopping.
        progress: Where to report to.
        stage: What the report calls this training.

    Raises:
        DataError: If there are no rows.
        ModelError: If the loss is not finite three times in a row.
    """
    if not rows:
        raise DataError(f"{stage}: there are no training rows")
    with torch.random.fork_rng(devices=[]):  # its seed is nobody else's
        torch.manual_seed(config.seed)
        run = _Run(model, task, rows, config, progress or Silent(), stage)
        best = _epochs(run, valid)
    if best is None:
        run.average.keep()
    else:
        model.load_state_dict(best)
    model.eval()
    return run.history


def _epochs(run: _Run, valid: Sequence[Encoded]) -> dict[str, Tensor] | None:
    """Train to the end of the schedule or of patience; the best weights, with patience only."""
    best_score, best, since = -1.0, None, 0
    patience = run.config.patience if valid else None
    while run.done < run.total:
        figures = run.epoch()
        record = {"epoch": run.done / run.steps_an_epoch, **figures}
        run.history.epochs.append(record)
        if not valid:
            continue
        with run.average.swapped():
            score = record[run.task.metric] = run.score(valid)
            since = 0 if score > best_score else since + 1
            if patience is not None and score > best_score:
                best = copy.deepcopy(run.model.state_dict())
        best_score = max(best_score, score)
        if patience is not None and since >= patience:
            break
        run.fit_budget()
    return best


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
        set_dropout(model, config.dropout)
        self.trained = [p for p in model.parameters() if p.requires_grad]
        self.optimizer = _optimizer(model, config)
        self.average = Average(self.trained, config.average)
        self.lengths = np.array([len(row.ids) for row in rows])
        batches = math.ceil(len(rows) / config.batch_size)
        self.steps_an_epoch = math.ceil(batches / config.accumulate)
        self.total = max(1, round(self.steps_an_epoch * config.epochs))
        self.done = 0
        self.bad = 0
        self.started = time.monotonic()

    def epoch(self) -> dict[str, float]:
        """Train over all rows once, or up to the last step; the mean loss as a figure."""
        self.model.train()
        losses: list[float] = []
        batches = shuffled(self.lengths, self.config.batch_size, self.random)
        for start in range(0, len(batches), self.config.accumulate):
            if self.done >= self.total:
                break
            share = rate(self.done, self.total, self.config.warmup_share, self.config.schedule)
            losses.append(self.step(batches[start : start + self.config.accumulate], share))
            if self.done == TIMED_STEPS:
                self.fit_budget()
            self._report(losses, share)
        return _loss_figure(losses)

    def step(self, batches: list[np.ndarray], share: float) -> float:
        """One optimizer step over the given batches at a share of the highest rate; the loss."""
        each = [[self.rows[k] for k in part] for numbers in batches for part in self._cut(numbers)]
        sizes = [self._decisions(rows) for rows in each]
        total = 0.0
        for rows, size in zip(each, sizes, strict=True):
            loss = self._loss(rows) * (size / max(sum(sizes), 1))
            loss.backward()  # type: ignore[no-untyped-call]
            total += float(loss.detach())
        norm = nn.utils.clip_grad_norm_(self.trained, self.config.clip)
        if math.isfinite(total) and bool(torch.isfinite(norm)):
            self.bad = 0
            for group in self.optimizer.param_groups:
                group["lr"] = group["highest"] * share
            self.optimizer.step()
            self.average.update(self.done)
        else:
            self.bad += 1
            if self.bad == MOST_BAD:
                raise ModelError(
                    f"{self.stage}: loss or gradient was not finite three times in a row at step "
                    f"{self.done}; try a lower fit.learning_rate than {self.config.learning_rate}"
                )
        self.optimizer.zero_grad(set_to_none=True)
        self.done += 1
        return total

    def _cut(self, numbers: np.ndarray) -> list[np.ndarray]:
        """A batch in parts of at most ``MOST_TOKENS``; whole where its rows are contrasted.

        The parts' gradients add up to the batch's.
        """
        if self.config.contrastive:
            return [numbers]
        tokens = int(self.lengths[numbers].max()) * len(numbers)
        return np.array_split(numbers, min(math.ceil(tokens / MOST_TOKENS), len(numbers)))

    def score(self, rows: Sequence[Encoded]) -> float:
        """The task's metric on some rows."""
        logits, _ = predict(self.model, rows, dtype=self.config.precision)
        return self.task.score(logits, rows)

    def _decisions(self, rows: list[Encoded]) -> int:
        """What the task's loss of some rows is the mean over: rows, or for tag words."""
        return len(rows) if self.task.pooled else sum(len(row.words) for row in rows)

    def _loss(self, rows: list[Encoded]) -> Tensor:
        """The task's loss of some rows, with the contrastive one where it is asked for."""
        batch = collate(rows)
        masking = self.config.masking
        ids = batch.ids if masking is None else masking.hide(batch.ids)
        with autocast(self.config.precision):
            vectors = self.model.embed(ids, batch.mask, batch.types)
        loss = self.task.loss(self.model.head(vectors), rows)
        if self.config.contrastive:
            labels = torch.tensor([row.target for row in rows])
            loss = loss + self.config.contrastive * contrastive_loss(vectors, labels)
        return loss

    def fit_budget(self) -> None:
        """Shorten the schedule to what the time budget allows at the pace so far."""
        if self.config.budget_s is None:
            return
        each = (time.monotonic() - self.started) / self.done
        affordable = max(int(self.config.budget_s / each), self.done)
        if affordable < self.total:
            self.progress.note(
                f"{self.stage}: {self.total} steps would take {self.total * each:.0f} s; the time "
                f"limit leaves {self.config.budget_s:.0f} s, so {affordable} steps"
            )
            self.total = affordable

    def _report(self, losses: list[float], share: float) -> None:
        """Tell how it goes, every few steps and after the last."""
        if self.done % REPORT_EVERY == 0 or self.done == self.total:
            figures = _loss_figure(losses[-REPORT_EVERY:])
            pace = {"step": float(self.done), "lr": share * self.config.learning_rate}
            self.history.steps.append(pace | figures)
            self.progress.step(self.stage, self.done, self.total, figures)


def _loss_figure(losses: list[float]) -> dict[str, float]:
    """The mean loss by its name; nothing where none was finite, as JSON has no such number."""
    finite = [loss for loss in losses if math.isfinite(loss)]
    return {"loss": float(np.mean(finite))} if finite else {}


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
