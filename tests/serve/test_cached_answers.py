"""Real servers that keep answers."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Running = Any
Serve = Callable[..., Any]
Change = Callable[[Path, Path], str]

TEXT = "where is my parcel"
PREDICT = "/v1/models/shop/predict"


@pytest.fixture
def keeping(serve: Serve, shop: Path) -> Running:
    """A server that keeps answers of its model."""
    return serve(shop, "--cache", "shop=100", "--workers", "1")


def metric(server: Running, name: str) -> float:
    """The sum of a metric's values."""
    text = server.call("GET", "/metrics")[2].decode()
    return sum(map(float, re.findall(rf"^{name}(?:{{.*}})? (\S+)$", text, re.MULTILINE)))


def hits_and_misses(server: Running) -> tuple[float, float]:
    return (
        metric(server, "nv_cache_num_hits_per_model"),
        metric(server, "nv_cache_num_misses_per_model"),
    )


def used(server: Running) -> dict[str, Any]:
    (row,) = json.loads(server.call("GET", "/v1/usage")[2])["usage"]
    return row  # type: ignore[no-any-return]


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def arrived(server: Running) -> None:
    """What was sent before has been read, for all that was asked after it is answered."""
    for _ in range(20):
        server.call("GET", "/healthz")


def test_a_text_that_is_asked_again_gets_the_same_answer_without_computing(
    keeping: Running,
) -> None:
    first = keeping.predict(TEXT, "other")
    once = used(keeping)

    again = keeping.predict(TEXT, "other")
    mixed = keeping.predict("new", TEXT, TEXT)
    twice = used(keeping)

    assert again == first
    assert mixed[1]["predictions"][1:] == [first[1]["predictions"][0]] * 2
    assert hits_and_misses(keeping) == (4, 3)
    assert metric(keeping, "nv_inference_count") == 3
    assert metric(keeping, "takeroot_cache_entries") == 3
    assert metric(keeping, "takeroot_cache_bytes") > 3 * len(json.dumps(first[1]["predictions"][0]))
    assert (once["texts"], twice["texts"], twice["requests"]) == (2, 7, 3)
    assert twice["tokens"] >= 2 * once["tokens"]


def test_a_request_whose_answers_are_kept_costs_its_token_no_computing(keeping: Running) -> None:
    keeping.predict(TEXT)
    once = used(keeping)

    keeping.predict(TEXT)

    twice = used(keeping)
    assert twice["compute_ms"] == once["compute_ms"]
    assert (twice["texts"], twice["tokens"]) == (2 * once["texts"], 2 * once["tokens"])


def test_answers_in_other_forms_are_kept_apart(keeping: Running) -> None:
    tensor = {"name": "text", "shape": [1], "datatype": "BYTES", "data": [TEXT]}
    bodies = [
        (PREDICT, {"inputs": [TEXT], "options": {"top_k": 1}}),
        (PREDICT, {"inputs": [TEXT]}),
        ("/v2/models/shop/infer", {"inputs": [tensor]}),
    ]

    first = [keeping.call("POST", path, body)[2] for path, body in bodies]
    again = [keeping.call("POST", path, body)[2] for path, body in bodies]

    assert again == first
    assert hits_and_misses(keeping) == (3, 3)
    (stats,) = json.loads(keeping.call("GET", "/v2/models/shop/stats")[2])["model_stats"]
    counts = {key: each["count"] for key, each in stats["inference_stats"].items()}
    assert (counts["cache_hit"], counts["cache_miss"], counts["success"]) == (3, 3, 6)
    assert counts["compute_infer"] == stats["inference_count"] == 3


def test_equal_texts_at_once_are_computed_once_also_when_the_first_client_leaves(
    keeping: Running,
) -> None:
    (worker,) = keeping.workers()
    before = metric(keeping, "takeroot_run_texts_sum")
    os.kill(worker, signal.SIGSTOP)
    clients = [keeping.connect() for _ in range(4)]
    for client in clients:
        body = json.dumps({"inputs": [TEXT]})
        client.request("POST", PREDICT, body, {"content-type": "application/json"})
        arrived(keeping)

    clients[0].close()
    arrived(keeping)
    os.kill(worker, signal.SIGCONT)
    answers = [client.getresponse() for client in clients[1:]]
    statuses, bodies = [each.status for each in answers], {each.read() for each in answers}
    for client in clients:
        client.close()

    assert statuses == [200] * 3
    assert len(bodies) == 1
    assert metric(keeping, "takeroot_run_texts_sum") - before == 1


def test_a_swapped_bundle_does_not_answer_from_the_old_ones_cache(
    keeping: Running, shop: Path, shop_bundle: Path, tmp_path: Path, changed_copy: Change
) -> None:
    old = keeping.predict(TEXT)[1]
    new = changed_copy(shop_bundle, tmp_path / "new")
    os.rename(shop / "shop", tmp_path / "old")
    os.rename(tmp_path / "new", shop / "shop")
    wait_for(
        lambda: json.loads(keeping.call("GET", "/v1/models")[2])["models"][0]["version"] == new
    )

    found = keeping.predict(TEXT)[1]

    assert old["version"] != found["version"] == new
    assert hits_and_misses(keeping) == (0, 1)  # of the new one


def test_nothing_is_kept_unless_it_is_asked_for(serve: Serve, shop: Path) -> None:
    server = serve(shop, "--cache", "other=100")
    for _ in range(2):
        server.predict(TEXT)

    assert hits_and_misses(server) == (0, 0)
    assert metric(server, "nv_inference_count") == 2
    assert b"takeroot_cache_entries{" not in server.call("GET", "/metrics")[2]
    server.stop()
    server.log.seek(0)
    assert "--cache other: no model of this name is served" in server.log.read()


@pytest.mark.parametrize("given", ["shop", "shop=0", "shop=-1", "shop=many", "=5", "shop=5,shop=6"])
def test_a_cache_that_cannot_be_read_is_refused(
    shop: Path, given: str, capfd: pytest.CaptureFixture[str]
) -> None:
    from takeroot.cli import main

    code = main(["serve", str(shop), "--port", "0", "--grpc-port", "-1", "--cache", given])

    assert code == 1
    assert "--cache: write MODEL=ENTRIES, such as shop=10000" in capfd.readouterr().err
