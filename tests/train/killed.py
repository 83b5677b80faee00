"""A training that kills its own process at a chosen call of the operating system.

Run: python killed.py FOLDER EVERY. It trains a small network with a checkpoint after each step,
once undisturbed, and then again and again, killed before the first such call, and before each
EVERY-th one after it; a process killed while it writes has written half. Each is gone on with in a
new process. Prints what came of it as JSON.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from takeroot.train import History, TrainConfig, train
from takeroot.train.checkpoints import Checkpoints

CALLS = ("open", "write", "fsync", "close", "rename", "mkdir", "rmdir", "unlink")
CONFIG = TrainConfig(epochs=2, batch_size=4, average=0.9, dropout=0.2, patience=2)
ROWS = tuple(range(8))


@dataclass(frozen=True)
class Doubling:
    """Learn to double numbers; every draw is from torch's own generator."""

    metric = "closeness"
    whole = False

    def lengths(self, rows: Any) -> np.ndarray:
        return np.ones(len(rows), np.int64)

    def decisions(self, rows: Any) -> int:
        return len(rows)

    def loss(self, model: nn.Module, rows: Any, precision: torch.dtype) -> Tensor:
        numbers = torch.tensor(rows, dtype=torch.float32)[:, None]
        numbers = numbers + 0.1 * torch.randn_like(numbers)
        return ((model(numbers) - 2 * numbers) ** 2).mean()

    def score(self, model: nn.Module, rows: Any, precision: torch.dtype) -> float:
        with torch.inference_mode():
            return float(-self.loss(model, rows, precision).abs())


def run(folder: Path) -> str:
    """Train, or go on with it; a hash of the weights and of what was told of them."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(1, 8), nn.Dropout(), nn.Linear(8, 1))
    keep = Checkpoints(folder, every_s=0.0)
    history: History = train(model, Doubling(), ROWS, CONFIG, valid=ROWS, keep=keep)
    weights = b"".join(p.detach().numpy().tobytes() for p in model.parameters())
    return hashlib.sha256(weights + json.dumps(vars(history)).encode()).hexdigest()


def die_before(call: int) -> Callable[[], int]:
    """From now on count the calls, and die before the given one; gives the number so far."""
    count = 0

    def counting(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **options: Any) -> Any:
            nonlocal count
            count += 1
            if count == call:
                if name == "write":
                    real(args[0], args[1][: len(args[1]) // 2])
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*args, **options)

        return wrapped

    for name in CALLS:
        setattr(os, name, counting(name, getattr(os, name)))
    return lambda: count


def in_child(work: Callable[[], str]) -> tuple[int, str]:
    """How a forked process that does the work ended, and what it gave."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        given = work().encode()
        with open(writer, "wb", closefd=False) as stream:
            stream.write(given)
        os._exit(0)
    os.close(writer)
    with open(reader, "rb") as stream:
        given = stream.read()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), given.decode()


def count_calls(folder: Path) -> str:
    """How many calls an undisturbed training makes."""
    count = die_before(-1)
    run(folder)
    return str(count())


def killed_at(folder: Path, call: int) -> str:
    """Train in a process that dies before a call."""
    die_before(call)
    return run(folder)


def main(folder: Path, every: int) -> None:
    """Kill at every so many calls."""
    torch.set_num_threads(1)
    wanted = in_child(lambda: run(folder / "whole"))[1]
    calls = int(in_child(lambda: count_calls(folder / "counted"))[1])
    ends, same, litter = [], 0, 0
    for call in range(1, calls + 1, every):
        place = folder / str(call)
        ends.append(in_child(lambda: killed_at(place, call))[0])  # noqa: B023 - done at once
        same += in_child(lambda: run(place))[1] == wanted  # noqa: B023
        litter += sum(path.name.startswith(".") for path in place.rglob("*"))
        shutil.rmtree(place)
    killed = ends.count(-signal.SIGKILL)
    sys.stdout.write(
        json.dumps({"calls": len(ends), "killed": killed, "same": same, "litter": litter})
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
