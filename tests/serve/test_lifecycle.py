"""What a server promises when things go wrong: it answers or refuses, and loses nothing."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

Running = Any
Serve = Callable[..., Any]
Change = Callable[[Path, Path], str]

PREDICT = "/v1/models/shop/predict"
IN_JSON = {"content-type": "application/json"}


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until something holds; a busy machine takes its time."""
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


@contextmanager
def load(server: Running, clients: int = 4) -> Iterator[Counter[object]]:
    """Requests without a pause, until the block ends: what became of them, counted."""
    outcomes: Counter[object] = Counter()
    ended = threading.Event()

    def ask() -> None:
        connection = server.connect()
        while not ended.is_set():
            try:
                connection.request("POST", PREDICT, '{"inputs": ["where is it"]}', IN_JSON)
                response = connection.getresponse()
                body = json.loads(response.read())
                outcomes[response.status] += 1
                if response.status == 200:
                    outcomes[body["version"]] += 1
            except OSError as error:
                outcomes[type(error).__name__] += 1
                connection.close()
                time.sleep(0.01)
        connection.close()

    threads = [threading.Thread(target=ask) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield outcomes
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def test_workers_that_are_killed_lose_no_request_and_are_replaced(serve: Serve, shop: Path) -> None:
    server = serve(shop, "--workers", "2")

    with load(server) as outcomes:
        for _ in range(5):
            before = server.workers()
            os.kill(before[0], signal.SIGKILL)
            wait_for(lambda before=before: len(set(server.workers()) - set(before)) == 1)  # type: ignore[misc]
        wait_for(lambda: len(server.workers()) == 2)

    assert {k for k in outcomes if isinstance(k, int)} == {200}
    assert server.call("GET", "/readyz")[0] == 200
    assert b"takeroot_workers_respawned_total 5\n" in server.call("GET", "/metrics")[2]


def test_sigterm_answers_what_was_accepted_and_ends_with_0(serve: Serve, shop: Path) -> None:
    server = serve(shop, "--drain-delay", "0.5")

    with load(server) as outcomes:
        wait_for(lambda: outcomes[200] > 20)
        assert server.stop() == 0

    # Connections are asked to close before, and then none is to be had. RemoteDisconnected would be
    # a request that was accepted and lost, ConnectionResetError one that nobody read.
    version = server.models[0].split()[1]
    assert set(outcomes) <= {200, version, "ConnectionRefusedError"}


def test_a_server_that_is_ending_says_so_before_it_refuses(serve: Serve, shop: Path) -> None:
    server = serve(shop, "--drain-delay", "30")

    server.process.send_signal(signal.SIGTERM)

    wait_for(lambda: server.call("GET", "/readyz")[0] == 503)
    assert server.call("GET", "/healthz")[0] == 200
    assert server.predict("still answered")[0] == 200


def test_a_bundle_is_swapped_under_load_without_a_failed_request(
    serve: Serve, shop: Path, shop_bundle: Path, tmp_path: Path, changed_copy: Change
) -> None:
    server = serve(shop)
    old = server.models[0].split()[1]
    new = changed_copy(shop_bundle, tmp_path / "new")

    with load(server) as outcomes:
        wait_for(lambda: outcomes[old] > 5)
        os.rename(shop / "shop", tmp_path / "old")
        os.rename(tmp_path / "new", shop / "shop")
        wait_for(lambda: outcomes[new] > 5)

    assert {k for k in outcomes if isinstance(k, int)} == {200}
    listed = json.loads(server.call("GET", "/v1/models")[2])["models"]
    assert [each["version"] for each in listed] == [new]


def test_a_bundle_that_is_damaged_is_not_taken(serve: Serve, shop: Path, tmp_path: Path) -> None:
    server = serve(shop)
    shutil.copytree(shop / "shop", tmp_path / "bad")
    with (tmp_path / "bad" / "linear.safetensors").open("ab") as file:
        file.write(b"x")
    os.rename(shop / "shop", tmp_path / "old")
    os.rename(tmp_path / "bad", shop / "shop")

    time.sleep(3)  # longer than it takes to look

    assert server.predict("still the old one")[0] == 200
    assert server.call("GET", "/readyz")[0] == 200


def test_beyond_its_capacity_it_answers_200_or_429_and_nothing_else(
    serve: Serve, shop: Path
) -> None:
    server = serve(shop, "--queue-texts", "1", "--workers", "1")
    body = json.dumps({"inputs": ["where is it"] * 200})
    outcomes: Counter[int] = Counter()
    hints: set[str] = set()

    def ask() -> None:
        for _ in range(20):
            status, headers, _ = server.call("POST", PREDICT, body.encode())
            outcomes[status] += 1
            if status == 429:
                hints.add(headers["retry-after"])

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert set(outcomes) == {200, 429}
    assert hints == {"1"}
    assert server.call("GET", "/readyz")[0] == 200
    assert server.predict("all is well again")[0] == 200


def test_a_request_whose_time_is_up_is_not_computed(serve: Serve, shop: Path) -> None:
    server = serve(shop, "--workers", "1")
    os.kill(server.workers()[0], signal.SIGSTOP)
    try:
        status, _, body = server.call(
            "POST", PREDICT, {"inputs": ["late"]}, x_request_timeout_ms="50"
        )
    finally:
        os.kill(server.workers()[0], signal.SIGCONT)

    assert status == 504
    assert json.loads(body)["error"]["code"] == "deadline_exceeded"
    assert server.predict("in time")[0] == 200


def test_what_runs_out_of_time_while_it_waits_is_never_computed(serve: Serve, shop: Path) -> None:
    server = serve(shop, "--workers", "1")
    before = run_texts(server)
    os.kill(server.workers()[0], signal.SIGSTOP)
    with ThreadPoolExecutor() as pool:
        patient = server.hold_up(pool)
        late, _ = server.predict("late", "later", x_request_timeout_ms="50")
        os.kill(server.workers()[0], signal.SIGCONT)
        answered = [each.result()[0] for each in patient]

    assert (late, answered) == (504, [200, 200])
    assert run_texts(server) == before + 2


def test_a_full_server_still_answers_probes_and_metrics(serve: Serve, shop: Path) -> None:
    server = serve(shop, "--workers", "1", "--queue-texts", "1")
    os.kill(server.workers()[0], signal.SIGSTOP)
    with ThreadPoolExecutor() as pool:
        accepted = server.hold_up(pool)
        full = server.predict("one too many")[0]
        live = server.call("GET", "/healthz")[0]
        wait_for(lambda: server.call("GET", "/readyz")[0] == 503)  # it tried, and was not answered
        os.kill(server.workers()[0], signal.SIGCONT)

    assert (full, live, [each.result()[0] for each in accepted]) == (429, 200, [200, 200])
    wait_for(lambda: server.call("GET", "/readyz")[0] == 200)


def test_a_request_that_would_wait_too_long_is_refused(serve: Serve, shop: Path) -> None:
    server = serve(shop, "--workers", "1", "--wait", "0.0000001")
    assert [server.predict("one alone")[0] for _ in range(3)] == [200] * 3
    os.kill(server.workers()[0], signal.SIGSTOP)
    with ThreadPoolExecutor() as pool:
        accepted = server.hold_up(pool)
        refused = server.predict("too late")[0]
        os.kill(server.workers()[0], signal.SIGCONT)

    assert (refused, [each.result()[0] for each in accepted]) == (429, [200, 200])


def test_a_server_whose_workers_stand_still_is_not_ready(serve: Serve, shop: Path) -> None:
    server = serve(shop, "--workers", "1")
    os.kill(server.workers()[0], signal.SIGSTOP)
    time.sleep(1.1)  # the last probe is remembered for a second

    found = server.call("GET", "/readyz")[0]
    os.kill(server.workers()[0], signal.SIGCONT)

    assert found == 503
    wait_for(lambda: server.call("GET", "/readyz")[0] == 200)


def test_a_client_that_leaves_frees_its_place(serve: Serve, shop: Path) -> None:
    server = serve(shop, "--workers", "1")
    os.kill(server.workers()[0], signal.SIGSTOP)
    connections = [server.connect() for _ in range(60)]
    body = json.dumps({"inputs": ["a"] * 8})
    for connection in connections:
        connection.request("POST", PREDICT, body, IN_JSON)
    wait_for(lambda: server.waiting() > 100)

    for connection in connections:
        connection.close()
    time.sleep(0.3)
    os.kill(server.workers()[0], signal.SIGCONT)

    wait_for(lambda: server.waiting() == 0)
    counted = [
        line
        for line in server.call("GET", "/metrics")[2].decode().splitlines()
        if line.startswith("nv_inference_count{")
    ]
    assert float(counted[0].split()[-1]) == 0


def run_texts(server: Running) -> float:
    """How many texts workers have computed."""
    lines = server.call("GET", "/metrics")[2].decode().splitlines()
    return sum(float(each.split()[-1]) for each in lines if "run_texts_sum" in each.split("{")[0])


def test_connections_that_say_nothing_keep_nobody_waiting(serve: Serve, shop: Path) -> None:
    server = serve(shop)
    host, port = server.address.split(":")
    silent = [socket.create_connection((host, int(port))) for _ in range(200)]
    for connection in silent[:100]:
        connection.sendall(b"POST /v1/models/shop/predict HTTP/1.1\r\ncontent-le")

    assert server.predict("me first")[0] == 200
    for connection in silent:
        connection.close()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--host", "0.0.0.0"], "can be reached from other machines"),
        (["--tls-cert", "c.pem"], "tls_cert and tls_key go together"),
        (["--port", "70000"], "--port: "),
        (["--timeout", "0"], "--timeout: "),
        (["--tls-cert", "no.pem", "--tls-key", "no.pem"], "cannot be used"),
        (["--tokens", "no.json"], "no.json"),
        (["--mask"], "there is nothing to mask"),
        (["--mask-names", "n.txt"], "there is nothing to mask"),
        (["--record", "/dev/null/kept"], "records cannot be kept there"),
        (["--record", "kept", "--mask-names", "no.txt"], "no.txt: cannot be read"),
        (["--record", "kept", "--mask-key-file", "/dev/null"], "holds 0 bytes; a key has 16"),
    ],
)
def test_what_cannot_be_served_is_refused_in_one_line(
    shop: Path, options: list[str], expected: str, capfd: pytest.CaptureFixture[str]
) -> None:
    from takeroot.cli import main

    code = main(["serve", str(shop), "--port", "0", "--grpc-port", "-1", *options])

    told = capfd.readouterr().err.strip().splitlines()
    assert code == 1
    assert expected in told[-1]


def test_a_folder_without_a_bundle_is_refused(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from takeroot.cli import main

    assert main(["serve", str(tmp_path), "--port", "0", "--grpc-port", "-1"]) == 1
    assert "holds no bundle" in capfd.readouterr().err
