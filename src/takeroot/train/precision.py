"""Whether bf16 pays on this machine: measured, because a CPU may accept bf16 and be slower."""

from __future__ import annotations

import os
import time
from contextlib import AbstractContextManager, nullcontext
from functools import cache

import torch

from takeroot.errors import RecipeError

GAIN = 1.2  # bf16 rounds; below this gain it is not worth it
ROUNDS = 20
# Time spent computing, not waiting for a core; Windows counts it in steps of 16 ms.
CLOCK = time.perf_counter if os.name == "nt" else time.thread_time
FORMATS = {"fp32": torch.float32, "bf16": torch.bfloat16}


def choose(wanted: str = "auto") -> torch.dtype:
    """The number format to train in.

    Args:
        wanted: ``fp32``, ``bf16``, or ``auto`` for whichever a short measurement favours.

    Raises:
        RecipeError: If ``wanted`` is none of these.
    """
    if wanted in FORMATS:
        return FORMATS[wanted]
    if wanted != "auto":
        raise RecipeError(f"fit.precision: {wanted!r} is not one of: auto, fp32, bf16")
    return torch.bfloat16 if bf16_speedup() >= GAIN else torch.float32


def name_of(dtype: torch.dtype) -> str:
    """What a recipe calls a number format."""
    return next(name for name, each in FORMATS.items() if each == dtype)


@cache
def bf16_speedup() -> float:
    """How many times faster a bf16 matrix product of a typical size is than a float32 one.

    The quickest of several products (512, 384) x (384, 1536) each, in turns and by the time spent
    computing, so that what else the machine does meanwhile slows both or neither: with another
    answer, the same seed would give another model.
    """
    sides = {
        dtype: (torch.ones(512, 384, dtype=dtype), torch.ones(384, 1536, dtype=dtype))
        for dtype in FORMATS.values()
    }
    best = dict.fromkeys(sides, float("inf"))
    for _ in range(ROUNDS):
        for dtype, (left, right) in sides.items():
            start = CLOCK()
            left @ right
            best[dtype] = min(best[dtype], CLOCK() - start)
    return best[torch.float32] / best[torch.bfloat16]


def autocast(dtype: torch.dtype) -> AbstractContextManager[object]:
    """A context in which matrix products are computed in ``dtype``."""
    if dtype == torch.float32:
        return nullcontext()
    return torch.autocast("cpu", dtype=dtype)
