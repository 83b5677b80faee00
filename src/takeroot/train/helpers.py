"""The other processes of a training: how they are started, and what they do.

Either takeroot starts them on this machine, or ``torchrun`` has started all, on one machine or
several. The leader goes about its fit alone; whenever it trains, it sends the others the network,
the rows and the settings, and they take every step with it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
from torch import distributed as dist
from torch.distributed import TCPStore  # type: ignore[attr-defined]

from takeroot.bundle.cores import usable_cores
from takeroot.errors import ModelError, RecipeError, TakerootError
from takeroot.machine import torchrun_rank
from takeroot.train.group import Group, current

STARTING = timedelta(minutes=5)
WAITING = timedelta(days=30)  # between two trainings, or steps: the leader may do other work
MOST = 1024
LOCAL = "127.0.0.1"


@dataclass(frozen=True)
class Job:
    """A training that others take part in: the arguments of ``train``."""

    model: Any
    objective: Any
    rows: Any
    config: Any
    valid: Any
    stage: str
    after_step: Any


@contextmanager
def together(processes: int | None) -> Iterator[Group]:
    """Inside the block, trainings are shared with other processes.

    Args:
        processes: How many to start on this machine, this one included; None for those that
            ``torchrun`` has started, if it has.

    Raises:
        RecipeError: If the number is out of range, or torchrun has started others already.
        ModelError: If they cannot be started.
    """
    started = torchrun_rank() is not None
    if processes is not None and (started or not 1 <= processes <= MOST):
        why = f"torchrun has started {os.environ['WORLD_SIZE']}" if started else f"1 to {MOST}"
        raise RecipeError(f"--processes {processes}: {why}")
    if not started and (processes is None or processes == 1):
        yield current()
        return
    others = _join() if started else _start(processes or 1)
    try:
        yield current()
    finally:
        _leave(others)


def help_out() -> None:
    """Take part in the leader's trainings until it has ended."""
    from takeroot.train.loop import train  # which imports this module's Job

    for number in (signal.SIGINT, signal.SIGTERM):  # the leader is asked to stop, and it decides
        signal.signal(number, signal.SIG_IGN)
    if not dist.is_initialized():
        _join()
    group = current()
    with suppress(TakerootError):  # the leader has failed in the same way, and says so
        while (job := group.share(None)) is not None:
            train(
                job.model,
                job.objective,
                job.rows,
                job.config,
                valid=job.valid,
                stage=job.stage,
                after_step=job.after_step,
            )
    _leave([])


def local_threads() -> int:
    """Threads for each process of this machine while they train together."""
    here = int(os.environ.get("LOCAL_WORLD_SIZE", current().size))
    return max(1, usable_cores() // here)


def _join() -> list[subprocess.Popen[bytes]]:
    """Meet the processes that torchrun has started."""
    dist.init_process_group("gloo", timeout=WAITING)
    torch.set_num_threads(usable_cores())  # torchrun says 1; training divides them by itself
    return []


def _start(processes: int) -> list[subprocess.Popen[bytes]]:
    """Start the others on this machine and meet them."""
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"  # nobody else may listen
    store = TCPStore(LOCAL, 0, None, is_master=True, wait_for_workers=False, timeout=STARTING)
    words = "from takeroot.train.helpers import main; main({}, {}, {})"
    others = [
        subprocess.Popen([sys.executable, "-c", words.format(store.port, processes, rank)])
        for rank in range(1, processes)
    ]
    try:
        dist.init_process_group("gloo", store=store, rank=0, world_size=processes, timeout=WAITING)
    except RuntimeError as error:
        _leave(others)
        raise ModelError(f"--processes {processes}: they could not be started: {error}") from error
    return others


def _leave(others: list[subprocess.Popen[bytes]]) -> None:
    """Let go of the others: they end by themselves, at once where they wait for nothing."""
    group = current()
    if group.leads and sys.exc_info()[0] is None:
        with suppress(ModelError):
            group.share(None)
    if dist.is_initialized():
        dist.destroy_process_group()
    for other in others:
        try:
            other.wait(timeout=STARTING.seconds if sys.exc_info()[0] is None else 5)
        except subprocess.TimeoutExpired:
            other.kill()
            other.wait()


def main(port: int, size: int, rank: int) -> None:
    """One of the processes that ``_start`` starts."""
    store = TCPStore(LOCAL, port, None, timeout=STARTING)
    dist.init_process_group("gloo", store=store, rank=rank, world_size=size, timeout=WAITING)
    help_out()
