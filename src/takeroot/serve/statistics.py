"""What a finished request was, and what a model has done so far."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Finished:
    """A request that is over.

    Args:
        model: The model's name.
        version: Its version.
        texts: Texts in it.
        outcome: ``ok``, ``cancelled``, or the code of its error.
        runs: Runs its texts were in; one that several requests share counts for one of them.
        tokens: Tokens read, and written.
        written: How many of them were written.
        abstained: Texts left without an answer.
        queue_ms: Until the last of its texts was handed to a worker.
        compute_ms: Computing time, summed.
        spent_ns: From arrival to the end.
        cached: Texts whose answer was kept, or computed for another request.
        missed: Texts that were computed although answers are kept.
        lookup_ns: Looking the texts up among what is kept.
    """

    model: str
    version: str
    texts: int
    outcome: str = "internal"
    runs: int = 0
    tokens: int = 0
    abstained: int = 0
    queue_ms: float = 0.0
    compute_ms: float = 0.0
    spent_ns: int = 0
    cached: int = 0
    missed: int = 0
    lookup_ns: int = 0
    written: int = 0


@dataclass
class ModelStatistics:
    """What a version of a model has done since the server started; times in nanoseconds."""

    name: str
    version: str
    last_inference_ms: int = 0
    failed: Counter[str] = field(default_factory=Counter)  # by outcome
    inference_count: int = 0
    execution_count: int = 0
    abstained_count: int = 0
    success_count: int = 0
    success_ns: int = 0
    fail_count: int = 0
    fail_ns: int = 0
    queue_count: int = 0
    queue_ns: int = 0
    compute_count: int = 0
    compute_ns: int = 0
    cache_hit_count: int = 0
    cache_hit_ns: int = 0
    cache_miss_count: int = 0
    cache_miss_ns: int = 0
    written_tokens: int = 0

    def add(self, request: Finished) -> None:
        """Take in a request."""
        if request.outcome != "ok":
            self.failed[request.outcome] += 1
            self.fail_count += 1
            self.fail_ns += request.spent_ns
            return
        self.last_inference_ms = int(1000 * time.time())
        self.inference_count += request.texts - request.cached
        self.execution_count += request.runs
        self.abstained_count += request.abstained
        self.written_tokens += request.written
        self.success_count += 1
        self.success_ns += request.spent_ns
        self.queue_count += 1
        self.queue_ns += int(1e6 * request.queue_ms)
        self.compute_count += request.cached < request.texts
        self.compute_ns += int(1e6 * request.compute_ms)
        if request.cached or request.missed:
            self._add_lookup(request)

    def _add_lookup(self, request: Finished) -> None:
        """Take in what was looked up; its time is shared out by texts."""
        hit_ns = request.lookup_ns * request.cached // request.texts
        self.cache_hit_count += request.cached
        self.cache_hit_ns += hit_ns
        self.cache_miss_count += request.missed
        self.cache_miss_ns += request.lookup_ns - hit_ns
