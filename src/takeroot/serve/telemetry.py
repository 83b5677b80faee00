"""What Prometheus reads: Triton's counters, and histograms of our own.

The ``nv_inference_*`` names, labels and units (microseconds) are those of the Triton Inference
Server's metrics, so that its dashboards work; they are written from the service's statistics when
asked for, and cost a request nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from takeroot.serve.service import Service
from takeroot.serve.statistics import Finished, ModelStatistics

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
TOKENS = (16, 32, 64, 96, 128, 192, 256, 512, 1024)
MODEL = ("model", "version")


@dataclass(frozen=True)
class _Line:
    """One of Triton's metrics: its name, kind, meaning, and where its value stands."""

    name: str
    kind: str
    help: str
    value: Callable[[ModelStatistics], float]


_LINES = (
    _Line(
        "nv_inference_request_success",
        "counter",
        "Requests answered.",
        lambda each: each.success_count,
    ),
    _Line(
        "nv_inference_request_failure",
        "counter",
        "Requests refused or failed.",
        lambda each: each.fail_count,
    ),
    _Line("nv_inference_count", "counter", "Texts answered.", lambda each: each.inference_count),
    _Line("nv_inference_exec_count", "counter", "Runs.", lambda each: each.execution_count),
    _Line(
        "nv_inference_request_duration_us",
        "counter",
        "Time of answered requests, in all.",
        lambda each: each.success_ns / 1000,
    ),
    _Line(
        "nv_inference_queue_duration_us",
        "counter",
        "Time they waited.",
        lambda each: each.queue_ns / 1000,
    ),
    _Line(
        "nv_inference_compute_infer_duration_us",
        "counter",
        "Time they were computed.",
        lambda each: each.compute_ns / 1000,
    ),
    _Line(
        "takeroot_abstained_total",
        "counter",
        "Texts left without an answer.",
        lambda each: each.abstained_count,
    ),
)


class Telemetry:
    """The metrics of one server."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "takeroot_requests",
            "Requests by protocol and outcome.",
            ("protocol", "outcome"),
            registry=self._registry,
        )
        self._seconds = self._histogram("request_seconds", "Time of a request.", SECONDS, MODEL)
        self._queue = self._histogram("queue_seconds", "Time it waited.", SECONDS, MODEL)
        self._texts = self._histogram("run_texts", "Texts a run.", SIZES)
        self._tokens = self._histogram("run_tokens", "Tokens a run.", TOKENS)
        self.requested = cache(self._requests.labels)
        self._seconds_of = cache(self._seconds.labels)
        self._queue_of = cache(self._queue.labels)

    def _histogram(
        self, name: str, text: str, buckets: tuple[float, ...], labels: tuple[str, ...] = ()
    ) -> Histogram:
        return Histogram(f"takeroot_{name}", text, labels, buckets=buckets, registry=self._registry)

    def observe_request(self, request: Finished) -> None:
        """Take in a finished request."""
        if request.outcome == "ok":
            model = request.model, request.version
            self._seconds_of(*model).observe(request.spent_ns / 1e9)
            self._queue_of(*model).observe(request.queue_ms / 1000)

    def observe_run(self, key: str, texts: int, tokens: int, seconds: float) -> None:
        """Take in a finished run."""
        self._texts.observe(texts)
        self._tokens.observe(tokens)

    def render(self, service: Service) -> bytes:
        """Everything, in Prometheus' text format."""
        return "".join(_written(service)).encode() + generate_latest(self._registry)


def _written(service: Service) -> Iterator[str]:
    """The metrics that are kept elsewhere."""
    statistics = service.statistics()
    for line in _LINES:
        yield f"# HELP {line.name} {line.help}\n# TYPE {line.name} {line.kind}\n"
        for each in statistics:
            labels = f'model="{each.name}",version="{each.version}"'
            yield f"{line.name}{{{labels}}} {line.value(each):.10g}\n"
    gauges = (
        (
            "nv_inference_pending_request_count",
            "Texts that wait.",
            service.pool.queue.waiting_texts,
        ),
        ("takeroot_workers", "Worker processes.", len(service.pool.pids)),
        (
            "takeroot_access_problem",
            "Whether a change of the token file, or usage, takes no effect: see the log.",
            int(service.gate.problem is not None),
        ),
        ("takeroot_ready", "Whether the last probe was answered.", int(service.was_ready)),
    )
    for name, text, value in gauges:
        yield f"# HELP {name} {text}\n# TYPE {name} gauge\n{name} {value}\n"
    name = "takeroot_workers_respawned_total"
    yield f"# HELP {name} Workers that died and were replaced.\n# TYPE {name} counter\n"
    yield f"{name} {service.pool.respawned}\n"
