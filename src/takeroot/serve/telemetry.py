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
HISTOGRAMS = (
    ("request_seconds", "Time of a request.", SECONDS),
    ("queue_seconds", "Time it waited.", SECONDS),
    ("run_texts", "Texts a run.", SIZES),
    ("run_tokens", "Tokens a run.", TOKENS),
)
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
        self._histograms = {
            name: Histogram(
                f"takeroot_{name}", text, MODEL, buckets=buckets, registry=self._registry
            )
            for name, text, buckets in HISTOGRAMS
        }
        self._by_model: dict[tuple[str, str], dict[str, Histogram]] = {}
        self._requested = cache(self._requests.labels)
        for protocol, outcome in product(PROTOCOLS, WATCHED):
            self._requested(protocol, outcome)  # from 0, so that the first one is a rise

    def _of(self, name: str, version: str) -> dict[str, Histogram]:
        """The histograms of a version."""
        found = self._by_model.get((name, version))
        if found is None:
            found = {key: each.labels(name, version) for key, each in self._histograms.items()}
            self._by_model[name, version] = found
        return found

    def _forget(self, served: set[tuple[str, str]]) -> None:
        """Drop the histograms of versions that are served no more, or they pile up."""
        for gone in self._by_model.keys() - served:
            del self._by_model[gone]
            for each in self._histograms.values():
                each.remove(*gone)

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
            histograms = self._of(request.model, request.version)
            histograms["request_seconds"].observe(request.spent_ns / 1e9)
            histograms["queue_seconds"].observe(request.queue_ms / 1000)

    def observe_run(self, model: Opened, texts: int, tokens: int) -> None:
        """Take in a finished run."""
        histograms = self._of(model.spec.name, model.sha256[:VERSION_DIGITS])
        histograms["run_texts"].observe(texts)
        histograms["run_tokens"].observe(tokens)

    def render(self, service: Service) -> bytes:
        """Everything, in Prometheus' text format."""
        self._forget({(each.name, each.version) for each in service.models()})
        return readings(service) + generate_latest(self._registry)
