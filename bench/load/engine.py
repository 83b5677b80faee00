"""The bare engine: tokenizer and onnxruntime, one process and single-thread session a core.

Nothing is taken in, decided or written; this is what a server on the same cores cannot exceed.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from takeroot.bundle import Bundle, open_bundle
from takeroot.bundle.cores import usable_cores
from takeroot.bundle.packing import flatten, pack, plan
from takeroot.bundle.tokens import encode, load_tokenizer

ALONE = 1  # pack size, in tokens, that puts every text into a pack of its own
PACKS = (ALONE, 32, 64, 96, 128, 192)  # tokens
TRY_S, TRIES = 0.5, 3  # each size in turn, so that a slow moment is not one size's alone
BATCH = 64  # texts tokenised at a time; one where each is computed alone


@dataclass(frozen=True)
class Rate:
    """How fast it was.

    Args:
        rate: Texts a second.
        cpu_ms: CPU time a text.
        p50_ms: Median time of a batch, tokenising included.
    """

    rate: float
    cpu_ms: float
    p50_ms: float


class Engine:
    """Processes that wait until they are asked to compute.

    Args:
        folder: The bundle.
        texts: Computed over and over, each process its share.
    """

    def __init__(self, folder: Path, texts: Sequence[str]) -> None:
        context = get_context("spawn")
        cores = usable_cores()
        self._workers: list[Connection] = []
        for number in range(cores):
            ours, theirs = context.Pipe()
            job = (theirs, folder, texts[number::cores])
            context.Process(target=_work, args=job, daemon=True).start()
            self._workers.append(ours)
        rounds = [[self.run(size, TRY_S).rate for size in PACKS] for _ in range(TRIES)]
        medians = np.median(rounds, axis=0).tolist()
        self.tried: dict[int, float] = dict(zip(PACKS, medians, strict=True))
        self.best = max(self.tried, key=lambda size: self.tried[size])

    def run(self, pack_tokens: int, seconds: float) -> Rate:
        """All processes at once, with packs of one size."""
        return self._ask(self._workers, pack_tokens, seconds)

    def alone(self, seconds: float) -> Rate:
        """One process, one text at a time."""
        return self._ask(self._workers[:1], ALONE, seconds)

    def _ask(self, workers: list[Connection], pack_tokens: int, seconds: float) -> Rate:
        for worker in workers:
            worker.send((pack_tokens, seconds))
        found = [worker.recv() for worker in workers]
        texts = sum(each["texts"] for each in found)
        return Rate(
            sum(each["texts"] / each["seconds"] for each in found),
            1000 * sum(each["cpu_s"] for each in found) / texts,
            1000 * float(np.median([each["median_s"] for each in found])),
        )


def _work(asked: Connection, folder: Path, texts: Sequence[str]) -> None:
    """A process of the engine."""
    bundle = open_bundle(folder)
    compute = _computer(bundle)
    while True:
        try:
            pack_tokens, seconds = asked.recv()
        except EOFError:
            return
        size = 1 if pack_tokens == ALONE else BATCH
        times: list[float] = []
        count = 0
        cpu, start = time.process_time(), time.perf_counter()
        for batch in _batches(texts, size):
            began = time.perf_counter()
            compute(batch, pack_tokens)
            times.append(time.perf_counter() - began)
            count += len(batch)
            if began + times[-1] > start + seconds:
                break
        asked.send(
            {
                "texts": count,
                "seconds": time.perf_counter() - start,
                "cpu_s": time.process_time() - cpu,
                "median_s": float(np.median(times)),
            }
        )


def _batches(texts: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    """Batches, for ever."""
    for start in itertools.cycle(range(0, len(texts), size)):
        yield texts[start : start + size]


def _computer(bundle: Bundle) -> Any:
    """Tokenises a batch and computes it in packs."""
    import onnxruntime

    spec = bundle.spec
    tokenizer = load_tokenizer(bundle.read("tokenizer.json"))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        bundle.read("model.onnx"), options, providers=["CPUExecutionProvider"]
    )
    names = [value.name for value in session.get_inputs()]

    def compute(batch: Sequence[str], pack_tokens: int) -> None:
        ids = encode(
            tokenizer, batch, max_tokens=spec.max_tokens, normalisation=spec.normalisation
        ).ids
        flat = flatten(ids, None, spec.position_offset)
        for first, last in plan(flat.starts, pack_tokens):
            feeds = pack(flat, first, last)
            session.run(["logits"], {name: feeds[name] for name in names})

    return compute
