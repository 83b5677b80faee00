"""What a real server tells Prometheus, read by Prometheus' own parser."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import tritonclient.grpc as triton
import yaml
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

DEPLOY = Path(__file__).parents[2] / "deploy"
METRIC = re.compile(r"\b(?:takeroot|nv_inference|nv_cache)_[a-z_]+\b")
GROUPED = re.compile(r"\bby \(([^)]*)\)")
SELECTED = re.compile(r"([a-z]+)(?:=~|!~|!=|=)\"")
ADDED = {"instance", "le"}  # by Prometheus, and of histograms' buckets only
TEXTS = ["where is my parcel", "i want my money back", "zzz qqq"]

Running = Any
Serve = Callable[..., Any]


def samples(server: Running, **headers: str) -> list[Sample]:
    """Everything /metrics holds."""
    status, _, body = server.call("GET", "/metrics", **headers)
    assert status == 200
    text = body.decode()
    parsed = [one for each in text_string_to_metric_families(text) for one in each.samples]
    named = {re.split(r"[{ ]", line)[0] for line in text.splitlines()}
    # This parser adds _total to counters without it, as Triton's are.
    return [
        one if one.name in named else one._replace(name=one.name.removesuffix("_total"))
        for one in parsed
    ]


def values(server: Running, name: str, **labels: str) -> list[float]:
    """Of the series of a metric that have these labels."""
    return [
        each.value
        for each in samples(server)
        if each.name == name and labels.items() <= each.labels.items()
    ]


def token(file: Path, name: str, scope: str) -> str:
    """The secret of a new token."""
    tool = Path(sys.executable).with_name("takeroot")
    words = ["token", "create", "--name", name, "--scope", scope, "--tokens", str(file), "--json"]
    made = subprocess.run([tool, *words], capture_output=True, check=True)
    return next(v for v in json.loads(made.stdout).values() if str(v).startswith("tkr_"))


def expressions() -> Iterator[str]:
    """Every expression of the dashboard and the alert rules."""
    board = json.loads((DEPLOY / "grafana/takeroot.json").read_text(encoding="utf-8"))
    for panel in board["panels"]:
        yield from (target["expr"] for target in panel["targets"])
    rules = yaml.safe_load((DEPLOY / "prometheus/alerts.yml").read_text(encoding="utf-8"))
    for group in rules["groups"]:
        yield from (rule["expr"] for rule in group["rules"])


@pytest.fixture(scope="module")
def visited(serve_a_file: Serve, shop_bundle: Path) -> Running:
    """A server that has answered and refused over REST and gRPC."""
    server = serve_a_file(shop_bundle, "--grpc-port", "0", "--cache", "shop=100")
    server.predict(*TEXTS)
    server.predict("x", model="other")
    client = triton.InferenceServerClient(server.grpc)
    client.get_model_metadata("shop")
    with pytest.raises(triton.InferenceServerException):
        client.get_model_metadata("other")
    client.close()
    return server


def test_what_is_watched_is_there_with_its_labels(visited: Running) -> None:
    labels: dict[str, set[str]] = {}
    for each in samples(visited):
        labels.setdefault(each.name, set()).update(each.labels)

    for expression in expressions():
        named = set(METRIC.findall(expression))
        assert named <= set(labels), expression
        by = {label.strip() for part in GROUPED.findall(expression) for label in part.split(",")}
        for label in (by | set(SELECTED.findall(expression))) - ADDED:
            assert all(label in labels[name] for name in named), (label, expression)


def test_every_metric_is_documented(visited: Running) -> None:
    text = (DEPLOY.parent / "docs/serving.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`(?:nv|takeroot)_.*?) \|\s*(.*?)\s*\|", text, re.MULTILINE)
    documented = {
        (name, label)
        for names, labels in rows
        for name in METRIC.findall(names)
        for label in re.findall(r"\w+", labels) or [""]
    }

    found = {
        (re.sub("^(takeroot_.*)_(bucket|sum|count)$", r"\1", each.name), label)
        for each in samples(visited)
        if not each.name.endswith("_created")
        for label in set(each.labels) - ADDED or [""]
    }

    assert found == documented


def test_both_protocols_are_counted_by_outcome(visited: Running) -> None:
    def counted(protocol: str, outcome: str) -> list[float]:
        found = {"protocol": protocol, "outcome": outcome}
        return values(visited, "takeroot_requests_total", **found)

    assert counted("grpc", "ok") == [1]
    assert counted("grpc", "unknown_model") == [1]
    assert counted("rest", "unknown_model") == [1]


def test_each_token_has_its_own_counters(serve: Serve, shop_bundle: Path, tmp_path: Path) -> None:
    file = tmp_path / "tokens.json"
    shop, other = token(file, "till", "predict"), token(file, "desk", "predict")
    watcher = {"authorization": f"Bearer {token(file, 'prometheus', 'metrics')}"}
    server = serve(shop_bundle, "--tokens", str(file))
    for secret, texts in ((shop, TEXTS), (shop, TEXTS[:1]), (other, TEXTS[:2])):
        assert server.predict(*texts, authorization=f"Bearer {secret}")[0] == 200

    used = {
        (each.name, each.labels["token"]): each.value
        for each in samples(server, **watcher)
        if each.name.startswith("takeroot_usage_") and each.labels["model"] == "shop"
    }

    assert used["takeroot_usage_requests_total", "till"] == 2
    assert used["takeroot_usage_texts_total", "till"] == 4
    assert used["takeroot_usage_requests_total", "desk"] == 1
    assert used["takeroot_usage_texts_total", "desk"] == 2
    assert used["takeroot_usage_compute_seconds_total", "desk"] > 0


def test_the_queue_is_counted_in_texts_and_in_requests(serve: Serve, shop_bundle: Path) -> None:
    server = serve(shop_bundle, "--workers", "1")
    (worker,) = server.workers()
    before = values(server, "nv_inference_exec_count")[0]
    os.kill(worker, signal.SIGSTOP)
    connections = [server.connect() for _ in range(20)]
    try:
        for connection in connections:
            head = {"content-type": "application/json"}
            body = json.dumps({"inputs": ["hi", "ho"]})
            connection.request("POST", "/v1/models/shop/predict", body, head)
        until(lambda: values(server, "takeroot_waiting_texts")[0] > 20)
        found = {each.name: each.value for each in samples(server)}
    finally:
        os.kill(worker, signal.SIGCONT)
    statuses = [connection.getresponse().status for connection in connections]
    for connection in connections:
        connection.close()

    assert found["takeroot_waiting_texts"] == 2 * found["nv_inference_pending_request_count"]
    assert statuses == [200] * 20
    assert values(server, "nv_inference_pending_request_count", model="shop") == [0]
    assert 0 < values(server, "nv_inference_exec_count")[0] - before < 20  # those that waited share
    assert values(server, "nv_inference_count") == [40]
    assert values(server, "takeroot_run_texts_sum", model="shop")[0] >= 40


def test_a_request_that_fails_has_triton_s_reason(serve: Serve, shop_bundle: Path) -> None:
    server = serve(shop_bundle, "--workers", "1")
    (worker,) = server.workers()
    os.kill(worker, signal.SIGSTOP)
    server.predict("late", x_request_timeout_ms="50")
    os.kill(worker, signal.SIGCONT)
    server.predict(*["too many"] * 300)

    def failed(reason: str) -> list[float]:
        return values(server, "nv_inference_request_failure", model="shop", reason=reason)

    assert failed("REJECTED") == [1]
    assert failed("OTHER") == [1]
    assert failed("BACKEND") == failed("CANCELED") == [0]


def until(true: Callable[[], bool]) -> None:
    """Wait for something."""
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_version_that_is_served_no_more_leaves_no_series_behind(
    serve: Serve,
    shop: Path,
    shop_bundle: Path,
    tmp_path: Path,
    changed_copy: Callable[[Path, Path], str],
) -> None:
    server = serve(shop)
    server.predict("zzz")
    before = {each.labels.get("version") for each in samples(server)} - {None}
    new = changed_copy(shop_bundle, tmp_path / "new")

    os.rename(shop / "shop", tmp_path / "old")
    os.rename(tmp_path / "new", shop / "shop")
    while server.predict("zzz")[1]["version"] != new:
        time.sleep(0.05)

    assert new not in before
    assert {each.labels.get("version") for each in samples(server)} == {None, new}
