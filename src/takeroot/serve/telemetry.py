"""What Prometheus reads: what the service counts anyway, and histograms counted here."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from itertools import product
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from takeroot.serve.faults import FAULTS
from takeroot.serve.models import VERSION_DIGITS
from takeroot.serve.pool import Opened
from takeroot.serve.readings import readings
from takeroot.serve.request_id import REQUEST_ID
from takeroot.serve.service import Service
from takeroot.serve.statistics import Finished

if TYPE_CHECKING:
    from takeroot.serve.traces import Traces

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
TOKENS = (16, 32, 64, 96, 128, 192, 256, 512, 1024)
MODEL = ("model", "version")
PROTOCOLS = ("rest", "grpc")
WATCHED = ("ok", *(code for code, fault in FAULTS.items() if fault.http in (429, 500, 503, 504)))


class Telemetry:
    """The metrics of one server, and its traces.

    Args:
        traces: Where spans of predictions are sent; None makes none.
    """

    def __init__(self, traces: Traces | None = None) -> None:
        self._traces = traces
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "takeroot_requests",
            "Requests by protocol and outcome.",
            ("protocol", "outcome"),
            registry=self._registry,
        )
        self._seconds = self._histogram("request_seconds", "Time of a request.", SECONDS, MODEL)
        self._queue = self._histogram("queue_seconds", "Time it waited.", SECONDS, MODEL)
        self._texts = self._histogram("run_texts", "Texts a run.", SIZES, MODEL)
        self._tokens = self._histogram("run_tokens", "Tokens a run.", TOKENS, MODEL)
        self._requested = cache(self._requests.labels)
        for protocol, outcome in product(PROTOCOLS, WATCHED):
            self._requested(protocol, outcome)  # from 0, so that the first one is a rise
        self._seconds_of = cache(self._seconds.labels)
        self._queue_of = cache(self._queue.labels)
        self._texts_of = cache(self._texts.labels)
        self._tokens_of = cache(self._tokens.labels)

    def _histogram(
        self, name: str, text: str, buckets: tuple[float, ...], labels: tuple[str, ...]
    ) -> Histogram:
        return Histogram(f"takeroot_{name}", text, labels, buckets=buckets, registry=self._registry)

    def begin(self, name: str, protocol: str, headers: Mapping[str, str]) -> None:
        """A prediction was asked for, in this task; ``headers`` may name the caller's span."""
        if self._traces is not None:
            self._traces.begin(name, protocol, REQUEST_ID.get(), headers)

    def ended(self, protocol: str, outcome: str) -> None:
        """A request is answered: ``ok``, ``cancelled`` or the code of its error."""
        self._requested(protocol, outcome).inc()
        if self._traces is not None:
            self._traces.ended(outcome)

    def observe_request(self, request: Finished) -> None:
        """Take in what the service did for a request."""
        if self._traces is not None:
            self._traces.finished(request)
        if request.outcome == "ok":
            model = request.model, request.version
            self._seconds_of(*model).observe(request.spent_ns / 1e9)
            self._queue_of(*model).observe(request.queue_ms / 1000)

    def observe_run(self, model: Opened, texts: int, tokens: int) -> None:
        """Take in a finished run."""
        labels = model.spec.name, model.sha256[:VERSION_DIGITS]
        self._texts_of(*labels).observe(texts)
        self._tokens_of(*labels).observe(tokens)

    def render(self, service: Service) -> bytes:
        """Everything, in Prometheus' text format."""
        return readings(service) + generate_latest(self._registry)
