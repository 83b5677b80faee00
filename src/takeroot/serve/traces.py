"""OpenTelemetry traces of predictions, sent to a collector over OTLP/HTTP.

A span for each request, under its caller's span where the request brings a W3C traceparent; in it
one for the time it waited and one for the time it was computed. Spans hold names, counts and the
outcome, never a text. A thread of the SDK's sends them, a batch at a time; requests never wait for
the collector, and what it cannot take is lost.

This module is imported, and a connection opened, only where traces were asked for.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, StatusCode, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from takeroot import __version__
from takeroot.serve.faults import FAULTS
from takeroot.serve.statistics import Finished

PATH = "/v1/traces"  # of a collector
EXPORT_S = 5.0  # a batch may take


@dataclass(frozen=True, slots=True)
class Begun:
    """The span of a request that is being answered, and when it began (ns since 1970)."""

    span: Span
    start: int


# Of the request that is answered, in its own task.
_BEGUN: ContextVar[Begun | None] = ContextVar("BEGUN", default=None)
_propagator = TraceContextTextMapPropagator()


class Traces:
    """Where spans are sent.

    Args:
        url: The collector's address; its usual path is added where there is none.
    """

    def __init__(self, url: str) -> None:
        endpoint = url if urlsplit(url).path.strip("/") else url.rstrip("/") + PATH
        about = Resource.create({"service.name": "takeroot", "service.version": __version__})
        self._provider = TracerProvider(resource=about, shutdown_on_exit=False)
        exporter = OTLPSpanExporter(endpoint, timeout=EXPORT_S)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("takeroot", __version__)

    def begin(self, name: str, protocol: str, request_id: str, headers: Mapping[str, str]) -> None:
        """A request has come.

        Args:
            name: What is asked for.
            protocol: ``rest`` or ``grpc``.
            request_id: As the caller is told.
            headers: With ``traceparent`` and ``tracestate`` where the caller has a span.
        """
        about = {"takeroot.protocol": protocol, "takeroot.request_id": request_id}
        parent = _propagator.extract(headers)
        kind = SpanKind.SERVER
        start = time.time_ns()
        span = self._tracer.start_span(name, parent, kind, about, start_time=start)
        _BEGUN.set(Begun(span, start))

    def finished(self, request: Finished) -> None:
        """The service is done with the request of this task."""
        begun = _BEGUN.get()
        if begun is None or not begun.span.is_recording():
            return
        begun.span.set_attributes(
            {
                "takeroot.model": request.model,
                "takeroot.version": request.version,
                "takeroot.texts": request.texts,
                "takeroot.cached": request.cached,
                "takeroot.tokens": request.tokens,
            }
        )
        if request.outcome == "ok" and request.cached < request.texts:
            end = time.time_ns()
            arrived = max(begun.start, end - request.spent_ns)  # the loop's clock is a coarser one
            handed = min(end, arrived + int(1e6 * request.queue_ms))
            self._part(begun.span, "queue", arrived, handed, {})
            spent = {"takeroot.runs": request.runs, "takeroot.compute_ms": request.compute_ms}
            self._part(begun.span, "compute", handed, end, spent)

    def ended(self, outcome: str) -> None:
        """The request of this task is answered: ``ok``, ``cancelled`` or an error's code."""
        begun = _BEGUN.get()
        if begun is None:
            return
        _BEGUN.set(None)
        span = begun.span
        span.set_attribute("takeroot.outcome", outcome)
        fault = FAULTS.get(outcome)
        if fault is not None and fault.http >= HTTPStatus.INTERNAL_SERVER_ERROR:
            span.set_status(StatusCode.ERROR, outcome)
        span.end()

    def close(self) -> None:
        """Send what is left; it waits for the collector, not for long."""
        self._provider.shutdown()

    def _part(self, whole: Span, name: str, start: int, end: int, about: dict[str, Any]) -> None:
        """A span in the request's, from and to times in nanoseconds since 1970."""
        parent = set_span_in_context(whole)
        span = self._tracer.start_span(name, parent, attributes=about, start_time=start)
        span.end(end)
