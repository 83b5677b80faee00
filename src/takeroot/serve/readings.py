"""What is read off the service when Prometheus asks, in its text format.

The ``nv_*`` names, labels and units (microseconds) are those of the Triton Inference Server, so
that its dashboards work. None of it costs a request anything: the numbers are kept anyway.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from takeroot.serve.cache import Cache
from takeroot.serve.models import ModelInfo
from takeroot.serve.service import Service
from takeroot.serve.statistics import ModelStatistics
from takeroot.serve.usage import Sums

Labels = dict[str, str]
Samples = Iterable[tuple[Labels, float]]

# Why requests failed, in Triton's words, by the outcome; all others are OTHER.
REASONS = {
    "overloaded": "REJECTED",
    "rate_limited": "REJECTED",
    "quota_exhausted": "REJECTED",
    "deadline_exceeded": "REJECTED",
    "cancelled": "CANCELED",
    "internal": "BACKEND",
}
OTHER = "OTHER"


@dataclass(frozen=True)
class Family:
    """A metric: its name, what it means, its values, and whether they only ever grow.

    Args:
        name: As Prometheus knows it.
        help: One sentence.
        samples: Labels and value of each of its series.
        kind: Of Prometheus' types.
    """

    name: str
    help: str
    samples: Callable[[Service], Samples]
    kind: str = "counter"

    def write(self, service: Service) -> Iterator[str]:
        """Its lines; the labels' values need no escaping, their characters are limited."""
        yield f"# HELP {self.name} {self.help}\n# TYPE {self.name} {self.kind}\n"
        for labels, value in self.samples(service):
            named = ",".join(f'{key}="{each}"' for key, each in labels.items())
            yield (
                f"{self.name}{{{named}}} {value:.15g}\n" if named else f"{self.name} {value:.15g}\n"
            )


def readings(service: Service) -> bytes:
    """Every family."""
    return "".join(line for family in FAMILIES for line in family.write(service)).encode()


def _each(value: Callable[[ModelStatistics], float]) -> Callable[[Service], Samples]:
    """A value of every version of every model."""
    return lambda service: [(_of(each), value(each)) for each in service.statistics()]


def _one(value: Callable[[Service], float]) -> Callable[[Service], Samples]:
    """A value of the server."""
    return lambda service: [({}, value(service))]


def _kept(value: Callable[[Cache], float]) -> Callable[[Service], Samples]:
    """A value of every version whose answers are kept."""
    return lambda service: [(_of(info), value(cache)) for info, cache in service.caches()]


def _used(value: Callable[[Sums], float]) -> Callable[[Service], Samples]:
    """A value of every token and model."""
    return lambda service: [
        ({"token": token, "model": model}, value(sums))
        for token, model, sums in service.gate.totals()
    ]


def _of(each: ModelStatistics | ModelInfo) -> Labels:
    """Triton's labels of a version."""
    return {"model": each.name, "version": each.version}


def _failures(service: Service) -> Samples:
    """Requests that failed, by Triton's reasons."""
    for each in service.statistics():
        counts = dict.fromkeys([*REASONS.values(), OTHER], 0)
        for outcome, count in each.failed.items():
            counts[REASONS.get(outcome, OTHER)] += count
        for reason, count in counts.items():
            yield _of(each) | {"reason": reason}, count


def _pending(service: Service) -> Samples:
    """Requests that wait, by model."""
    return [(_of(each), service.pending(each.name, each.version)) for each in service.statistics()]


FAMILIES = (
    Family(
        "nv_inference_request_success", "Requests answered.", _each(lambda each: each.success_count)
    ),
    Family("nv_inference_request_failure", "Requests refused or failed, by reason.", _failures),
    Family("nv_inference_count", "Texts computed.", _each(lambda each: each.inference_count)),
    Family("nv_inference_exec_count", "Runs of texts.", _each(lambda each: each.execution_count)),
    Family(
        "nv_inference_request_duration_us",
        "Microseconds of answered requests, from arrival to answer.",
        _each(lambda each: each.success_ns / 1000),
    ),
    Family(
        "nv_inference_queue_duration_us",
        "Microseconds answered requests waited.",
        _each(lambda each: each.queue_ns / 1000),
    ),
    Family(
        "nv_inference_compute_infer_duration_us",
        "Microseconds answered requests were computed, reading and writing of texts included.",
        _each(lambda each: each.compute_ns / 1000),
    ),
    Family(
        "nv_inference_pending_request_count",
        "Requests of which nothing has been handed to a worker yet.",
        _pending,
        "gauge",
    ),
    Family(
        "nv_cache_num_hits_per_model",
        "Texts whose answer was kept, or computed for another request.",
        _each(lambda each: each.cache_hit_count),
    ),
    Family(
        "nv_cache_num_misses_per_model",
        "Texts computed although answers are kept.",
        _each(lambda each: each.cache_miss_count),
    ),
    Family(
        "nv_cache_hit_duration_per_model",
        "Microseconds of looking up texts that were found.",
        _each(lambda each: each.cache_hit_ns / 1000),
    ),
    Family(
        "nv_cache_miss_duration_per_model",
        "Microseconds of looking up texts that were not found.",
        _each(lambda each: each.cache_miss_ns / 1000),
    ),
    Family("takeroot_cache_entries", "Answers that are kept.", _kept(len), "gauge"),
    Family(
        "takeroot_cache_bytes",
        "Memory they take.",
        _kept(lambda cache: cache.size_bytes),
        "gauge",
    ),
    Family(
        "takeroot_texts_total",
        "Texts answered, computed or kept.",
        _each(lambda each: each.inference_count + each.cache_hit_count),
    ),
    Family(
        "takeroot_abstained_total",
        "Texts left without an answer.",
        _each(lambda each: each.abstained_count),
    ),
    Family(
        "takeroot_written_tokens_total",
        "Tokens of texts that models wrote.",
        _each(lambda each: each.written_tokens),
    ),
    Family(
        "takeroot_usage_requests_total",
        "Requests answered, by token and model.",
        _used(lambda sums: sums.requests),
    ),
    Family(
        "takeroot_usage_texts_total",
        "Texts answered, by token and model.",
        _used(lambda sums: sums.texts),
    ),
    Family(
        "takeroot_usage_tokens_total",
        "Tokens of texts read and written, by token and model.",
        _used(lambda sums: sums.tokens),
    ),
    Family(
        "takeroot_usage_compute_seconds_total",
        "Computing time, by token and model.",
        _used(lambda sums: sums.compute_ms / 1000),
    ),
    Family(
        "takeroot_waiting_texts",
        "Texts that wait.",
        _one(lambda service: service.pool.queue.waiting_texts),
        "gauge",
    ),
    Family(
        "takeroot_waiting_texts_limit",
        "Texts that may wait; beyond, requests are refused.",
        _one(lambda service: service.settings.queue_texts),
        "gauge",
    ),
    Family(
        "takeroot_waiting_answers",
        "Texts that wait to be written.",
        _one(lambda service: service.pool.writing.queue.waiting_texts),
        "gauge",
    ),
    Family(
        "takeroot_waiting_answers_limit",
        "Texts that may wait to be written; beyond, requests are refused.",
        _one(lambda service: service.settings.queue_answers),
        "gauge",
    ),
    Family(
        "takeroot_workers",
        "Worker processes.",
        _one(lambda service: len(service.pool.pids)),
        "gauge",
    ),
    Family(
        "takeroot_workers_respawned_total",
        "Workers that died and were replaced.",
        _one(lambda service: service.pool.respawned),
    ),
    Family(
        "takeroot_records_written_total",
        "Texts recorded with their answers.",
        _one(lambda service: service.recorder.written if service.recorder else 0),
    ),
    Family(
        "takeroot_records_dropped_total",
        "Texts that were to be recorded and could not be: see the log.",
        _one(lambda service: service.recorder.dropped if service.recorder else 0),
    ),
    Family(
        "takeroot_access_problem",
        "Whether a change of the token file, or usage, takes no effect: see the log.",
        _one(lambda service: service.gate.problem is not None),
        "gauge",
    ),
    Family(
        "takeroot_ready",
        "Whether the last probe was answered.",
        _one(lambda service: service.was_ready),
        "gauge",
    ),
)
