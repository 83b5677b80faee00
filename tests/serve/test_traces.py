"""Traces as a collector gets them: a real one over OTLP/HTTP, and what it was sent."""

from __future__ import annotations

import gzip
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import grpc
import pytest

from takeroot.serve.v2.messages import INFERENCE, message

for needed in ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http"):
    pytest.importorskip(needed, reason='traces need pip install "takeroot[otel]"')

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (  # noqa: E402  # if there
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

Serve = Callable[..., Any]

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SAMPLED, UNSAMPLED = f"00-{TRACE}-{PARENT}-01", f"00-{TRACE}-{PARENT}-00"
CANARY = "canary-4711 is my parcel"


@dataclass
class Collector:
    """Takes spans over HTTP.

    Args:
        url: Its address.
        bodies: What it was sent.
        paths: Where to.
    """

    url: str = ""
    bodies: list[bytes] = field(default_factory=list)
    paths: set[str] = field(default_factory=set)

    def spans(self) -> list[Any]:
        """Every span."""
        requests = map(ExportTraceServiceRequest.FromString, self.bodies)
        return [
            span
            for request in requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def resource(self) -> dict[str, str]:
        """What the first batch says of its sender."""
        first = ExportTraceServiceRequest.FromString(self.bodies[0]).resource_spans[0]
        return {each.key: each.value.string_value for each in first.resource.attributes}


@pytest.fixture
def collector() -> Iterator[Collector]:
    found = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            found.bodies.append(body)
            found.paths.add(self.path)
            self.send_response(200)
            self.send_header("content-type", "application/x-protobuf")
            self.end_headers()
            self.wfile.write(ExportTraceServiceResponse().SerializeToString())

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield found
        server.shutdown()
        thread.join()


def attributes(span: Any) -> dict[str, Any]:
    kinds = {each.key: each.value for each in span.attributes}
    return {key: getattr(value, value.WhichOneof("value")) for key, value in kinds.items()}


def test_a_request_is_a_span_under_its_callers_and_holds_no_text(
    serve: Serve, shop: Path, collector: Collector
) -> None:
    server = serve(shop, "--traces", collector.url)
    headers = {"traceparent": SAMPLED, "x-request-id": "r-1"}
    assert server.predict(CANARY, "another", **headers)[0] == 200
    assert server.call("GET", "/readyz")[0] == 200
    version = server.models[0].split()[1]
    assert server.stop() == 0

    spans = {span.name: span for span in collector.spans()}

    assert set(spans) == {"predict", "queue", "compute"}
    assert {span.trace_id.hex() for span in spans.values()} == {TRACE}
    whole = spans["predict"]
    assert whole.parent_span_id.hex() == PARENT
    assert spans["queue"].parent_span_id == spans["compute"].parent_span_id == whole.span_id
    assert attributes(whole) == {
        "takeroot.protocol": "rest",
        "takeroot.request_id": "r-1",
        "takeroot.model": "shop",
        "takeroot.version": version,
        "takeroot.texts": 2,
        "takeroot.cached": 0,
        "takeroot.tokens": 0,  # a linear model reads none
        "takeroot.outcome": "ok",
    }
    assert whole.start_time_unix_nano <= spans["queue"].start_time_unix_nano
    assert spans["queue"].end_time_unix_nano == spans["compute"].start_time_unix_nano
    assert spans["compute"].end_time_unix_nano <= whole.end_time_unix_nano
    assert collector.paths == {"/v1/traces"}
    assert collector.resource()["service.name"] == "takeroot"
    assert not any(b"canary" in body for body in collector.bodies)


def test_the_protocol_is_traced_over_rest_and_grpc(
    serve: Serve, shop: Path, collector: Collector
) -> None:
    server = serve(shop, "--traces", f"{collector.url}/otlp", "--grpc-port", "0")
    tensor = {"name": "text", "shape": [1], "datatype": "BYTES"}
    body = {"inputs": [tensor | {"data": [CANARY]}]}
    server.call("POST", "/v2/models/shop/infer", body, traceparent=SAMPLED)
    request = message("inference.ModelInferRequest")(model_name="shop")
    request.inputs.add(**tensor).contents.bytes_contents.append(CANARY.encode())
    data, metadata = request.SerializeToString(), [("traceparent", SAMPLED)]
    with grpc.insecure_channel(server.grpc) as channel:
        channel.unary_unary(f"/{INFERENCE}/ModelInfer")(data, metadata=metadata, timeout=60)
        stream = channel.stream_stream(f"/{INFERENCE}/ModelStreamInfer")
        assert len(list(stream(iter([data, data]), metadata=metadata, timeout=60))) == 2
    assert server.stop() == 0

    spans = [span for span in collector.spans() if span.name == "infer"]

    assert sorted(attributes(span)["takeroot.protocol"] for span in spans) == [
        *["grpc"] * 3,
        "rest",
    ]
    assert {attributes(span)["takeroot.outcome"] for span in spans} == {"ok"}
    assert {span.parent_span_id.hex() for span in spans} == {PARENT}
    assert collector.paths == {"/otlp"}
    assert not any(b"canary" in body for body in collector.bodies)


def test_what_went_wrong_is_in_the_span(serve: Serve, shop: Path, collector: Collector) -> None:
    server = serve(shop, "--traces", collector.url)
    server.predict("a", model="other", traceparent="no such thing")
    server.predict("a", x_request_timeout_ms="x")
    server.predict("unsampled", traceparent=UNSAMPLED)
    server.stop()

    told = {attributes(span)["takeroot.outcome"]: span for span in collector.spans()}

    assert set(told) == {"unknown_model", "invalid_request"}
    assert {span.parent_span_id for span in told.values()} == {b""}
    assert {span.status.code for span in told.values()} == {0}  # the caller's fault, not ours


def test_a_collector_that_is_not_there_holds_nobody_up(serve: Serve, shop: Path) -> None:
    server = serve(shop, "--traces", "http://127.0.0.1:9")
    for _ in range(20):
        assert server.predict("is anybody there")[0] == 200

    assert server.stop() == 0
    server.log.seek(0)
    assert all(line.startswith("{") for line in server.log.read().splitlines())


def test_nothing_is_sent_unless_it_is_asked_for(
    serve: Serve, shop: Path, collector: Collector
) -> None:
    server = serve(shop, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
    server.predict("a", traceparent=SAMPLED)
    server.stop()

    assert collector.bodies == []


def test_nothing_of_opentelemetry_is_loaded_unless_it_is_asked_for() -> None:
    code = (
        "import sys, takeroot.serve.server, takeroot.serve.rest, takeroot.serve.v2.grpc;"
        "sys.exit(any(name.startswith('opentelemetry') for name in sys.modules))"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
