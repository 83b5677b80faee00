"""A training that was stopped goes on as if it had not been."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from takeroot.errors import CheckpointError, DiskFullError, ModelError, OutOfMemoryError
from takeroot.stop import Stop, Stopped
from takeroot.train import History, train
from takeroot.train.checkpoints import Checkpoints

Build = Callable[[], Any]
STEPS = range(1, 11)


@dataclass
class Trained:
    """Where a training came to."""

    history: History
    weights: Tensor


@dataclass
class Toy:
    """Trains the small network in a folder, from whatever is kept there."""

    toy: SimpleNamespace
    build: Build
    folder: Path
    config: Any
    objective: Any
    notes: list[str] = field(default_factory=list)

    def note(self, message: str) -> None:
        self.notes.append(message)

    def step(self, *progress: object) -> None:
        """Show nothing."""

    def run(self, every_s: float | None = 0.0, stop_at: int = 0, **others: Any) -> Trained:
        model, stop = self.build(), Stop()

        def ask(step: int, total: int) -> None:
            if step == stop_at:
                stop.ask()

        keep = Checkpoints(
            self.folder, logs=self.folder / "logs", every_s=every_s, stop=stop, progress=self
        )
        others = {
            "keep": keep,
            "after_step": ask,
            "valid": self.toy.ROWS,
            "progress": self,
        } | others
        history = train(model, self.objective, self.toy.ROWS, self.config, **others)
        return Trained(history, torch.cat([p.detach().flatten() for p in model.parameters()]))


@pytest.fixture
def runs(toy: SimpleNamespace, toy_model: Build, tmp_path: Path) -> Callable[..., Toy]:
    """``runs("a", epochs=5)`` trains in the folder ``a``."""

    def build(name: str, objective: Any = None, **changes: Any) -> Toy:
        config = replace(toy.CONFIG, **{"epochs": 5, **changes})
        return Toy(toy, toy_model, tmp_path / name, config, objective or toy.Doubling())

    return build


@pytest.mark.parametrize("step", STEPS)
def test_a_training_stopped_at_a_step_goes_on_to_the_same_weights(
    runs: Callable[..., Toy], step: int
):
    whole = runs("whole", patience=9).run()
    cut = runs("cut", patience=9)

    with pytest.raises(Stopped):
        cut.run(every_s=None, stop_at=step)

    resumed = cut.run()
    assert torch.equal(resumed.weights, whole.weights)
    assert vars(resumed.history) == vars(whole.history)


def test_early_stopping_goes_on_counting(runs: Callable[..., Toy], toy: SimpleNamespace):
    @dataclass(frozen=True)
    class Level(toy.Doubling):  # type: ignore[misc, name-defined]
        def score(self, model: nn.Module, rows: Any, precision: torch.dtype) -> float:
            return 0.0

    whole = runs("whole", Level()).run()
    cut = runs("cut", Level())
    with pytest.raises(Stopped):
        cut.run(stop_at=5)

    resumed = cut.run()

    assert len(resumed.history.epochs) == len(whole.history.epochs) == 3
    assert torch.equal(resumed.weights, whole.weights)


def test_a_training_may_be_stopped_again_and_again(runs: Callable[..., Toy]):
    whole, cut = runs("whole", patience=9).run(), runs("cut", patience=9)

    for step in STEPS:
        with pytest.raises(Stopped):
            cut.run(every_s=None, stop_at=step)

    assert torch.equal(cut.run().weights, whole.weights)


def test_keeping_states_changes_nothing(runs: Callable[..., Toy]):
    kept, unkept = runs("a").run(), runs("b").run(keep=None)

    assert torch.equal(kept.weights, unkept.weights)
    assert vars(kept.history) == vars(unkept.history)


def test_the_random_numbers_of_numpy_and_python_go_on(
    runs: Callable[..., Toy], toy: SimpleNamespace
):
    @dataclass(frozen=True)
    class Drawing(toy.Doubling):  # type: ignore[misc, name-defined]
        def loss(self, model: nn.Module, rows: Any, precision: torch.dtype) -> Tensor:
            noise = random.gauss(0, 1) + np.random.standard_normal()
            return super().loss(model, rows, precision) * math.exp(noise)

    random.seed(5)
    np.random.seed(5)
    whole, cut = (
        runs("whole", Drawing(), patience=None).run(),
        runs("cut", Drawing(), patience=None),
    )
    random.seed(5)
    np.random.seed(5)
    with pytest.raises(Stopped):
        cut.run(stop_at=3)
    random.seed(6)
    np.random.seed(6)

    assert torch.equal(cut.run().weights, whole.weights)


def test_a_training_that_is_over_is_not_done_again(runs: Callable[..., Toy]):
    cut, steps = runs("cut"), list[int]()
    first = cut.run()

    again = cut.run(after_step=lambda step, _: steps.append(step))

    assert steps == []
    assert torch.equal(again.weights, first.weights)
    assert vars(again.history) == vars(first.history)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The loop's time in seconds, as the test sets it."""
    now = [0.0]
    monkeypatch.setattr("takeroot.train.run.time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


@dataclass(frozen=True)
class Ticking:
    """Each loss takes a second; from the ninth on ``later`` seconds."""

    toy: Any
    now: list[float]
    later: float = 1.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.toy, name)

    def loss(self, *args: Any) -> Any:
        self.now[0] += 1 if self.now[0] < 8 else self.later
        return self.toy.loss(*args)


@pytest.mark.parametrize(
    ("later", "steps"),
    [
        (1.0, 100),  # as the first eight steps promise
        (3.0, 40),  # 100 at 8 s, 50 at 16 steps and 32 s, 40 at 32 steps and 80 s
        (0.25, 336),  # 100, 160 at 10 s, 228 at 14 s, 290 at 22 s, 336 at 38 s; then no more
    ],
)
def test_a_schedule_follows_the_pace_of_the_machine(
    runs: Callable[..., Toy],
    toy: SimpleNamespace,
    clock: list[float],
    later: float,
    steps: int,
):
    objective = Ticking(toy.Doubling(), clock, later)

    done = runs("paced", objective, budget_s=100.0, batch_size=1, epochs=50).run(valid=())

    assert round(done.history.epochs[-1]["epoch"] * 8) == steps


def test_a_shortened_schedule_and_the_time_spent_are_kept(
    runs: Callable[..., Toy], toy: SimpleNamespace, clock: list[float]
):
    cut = runs("cut", Ticking(toy.Doubling(), clock), budget_s=20.0, batch_size=1)
    for step in (9, 12):
        with pytest.raises(Stopped):
            cut.run(every_s=None, stop_at=step, valid=())
        clock[0] += 1000

    file = next(cut.folder.glob("*/step-00000012/state.json"))

    position = json.loads(file.read_text())["position"]
    assert (position["total"], position["elapsed_s"]) == (20, 12.0)
    assert cut.run(valid=()).history.epochs[-1]["epoch"] == 20 / 8


@pytest.mark.parametrize(
    ("change", "named"), [({"learning_rate": 0.5}, "learning_rate"), ({"seed": 1}, "seed")]
)
def test_the_state_of_another_training_is_refused(
    runs: Callable[..., Toy], change: dict[str, Any], named: str
):
    with pytest.raises(Stopped):
        runs("cut").run(stop_at=3)

    with pytest.raises(CheckpointError, match=f"its {named} is .*, here it is"):
        runs("cut", **change).run()


def test_little_space_is_noticed_before_the_training(
    runs: Callable[..., Toy], monkeypatch: pytest.MonkeyPatch
):
    usage = SimpleNamespace(free=10)
    monkeypatch.setattr("takeroot.train.checkpoints.shutil.disk_usage", lambda _: usage)

    with pytest.raises(DiskFullError, match=r"0 MB are free.*fit\.checkpoint_s"):
        runs("cut").run()

    assert len(runs("other").run(every_s=None).history.epochs) > 0


def test_every_step_is_listed_once(runs: Callable[..., Toy]):
    cut = runs("cut", patience=9)
    for step in (3, 4, 7):
        with pytest.raises(Stopped):
            cut.run(stop_at=step)
    cut.run()

    lines = (cut.folder / "logs" / "01-training.jsonl").read_text().splitlines()
    found = [json.loads(line) for line in lines]
    assert [each["step"] for each in found if "epoch" not in each] == list(STEPS)
    assert [each["epoch"] for each in found if "epoch" in each] == [1, 2, 3, 4, 5]


def test_a_list_of_steps_that_cannot_be_written_ends_and_the_training_goes_on(
    runs: Callable[..., Toy],
):
    cut = runs("cut")
    cut.folder.mkdir()
    (cut.folder / "logs").touch()

    history = cut.run().history

    assert len(history.epochs) > 1
    assert [note for note in cut.notes if "steps are no longer listed" in note] == cut.notes[:1]


@dataclass(frozen=True)
class Cramped:
    """Memory for ``room`` rows at once."""

    toy: Any
    room: int
    whole: bool = False
    metric: str = "closeness"

    def __getattr__(self, name: str) -> Any:
        return getattr(self.toy, name)

    def lengths(self, rows: Any) -> np.ndarray:
        return np.full(len(rows), 100)

    def loss(self, model: nn.Module, rows: Any, precision: torch.dtype) -> Tensor:
        if len(rows) > self.room:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to ...")
        numbers = torch.tensor(rows, dtype=torch.float32)[:, None]
        return ((model(numbers) - 2 * numbers) ** 2).mean()


def test_where_memory_runs_out_smaller_parts_make_the_same_batch(
    runs: Callable[..., Toy], toy: SimpleNamespace
):
    plain = {"batch_size": 8, "dropout": 0.0, "patience": None}
    roomy = runs("roomy", Cramped(toy.Doubling(), 8), **plain).run()

    tight = runs("tight", Cramped(toy.Doubling(), 2), **plain).run()

    torch.testing.assert_close(tight.weights, roomy.weights, atol=1e-5, rtol=0)
    (event,) = tight.history.events
    assert (event["step"], "200 tokens are computed at once" in event["event"]) == (1, True)


@pytest.mark.parametrize(("room", "whole"), [(0, False), (7, True)])
def test_memory_too_short_for_even_small_parts_names_the_size(
    runs: Callable[..., Toy], toy: SimpleNamespace, room: int, whole: bool
):
    objective = Cramped(toy.Doubling(), room, whole)
    rows = 8 if whole else 1

    with pytest.raises(OutOfMemoryError, match=f"parts of {100 * rows} tokens in {rows} row"):
        runs("tight", objective, batch_size=8).run()


def test_other_errors_are_not_taken_for_a_lack_of_memory(
    runs: Callable[..., Toy], toy: SimpleNamespace
):
    with pytest.raises(RuntimeError, match="size of tensor"):
        runs("cut", toy.Doubling()).run(
            valid=(), after_step=lambda *_: torch.ones(2) + torch.ones(3)
        )


@dataclass
class Breaking:
    """From its second loss on, none is finite."""

    toy: Any
    value: float
    losses: int = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.toy, name)

    def loss(self, *args: Any) -> Tensor:
        self.losses += 1
        loss: Tensor = self.toy.loss(*args)
        return loss * self.value if self.losses > 1 else loss


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_steps_that_are_not_finite_are_counted_over_a_stop(
    runs: Callable[..., Toy], toy: SimpleNamespace, value: float
):
    cut = runs("cut", Breaking(toy.Doubling(), value))

    with pytest.raises(ModelError, match="the loss was not finite three times in a row at step 4"):
        cut.run(valid=())

    assert [note for note in cut.notes if "left out" in note] == [
        f"training, step {step}: the loss was not finite; the step was left out"
        for step in (2, 3, 4)
    ]
    with pytest.raises(ModelError, match="three times in a row at step 4"):
        runs("cut", Breaking(toy.Doubling(), value, losses=1)).run(valid=())
