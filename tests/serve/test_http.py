"""The HTTP protocol below the application: its own refusals, and its end."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from takeroot.serve.faults import FAULTS

Running = Any
Serve = Callable[..., Any]

ASK = b'{"inputs": ["where is it"]}'
PREDICT = "/v1/models/shop/predict"
HEAD = b"POST /v1/models/shop/predict HTTP/1.1\r\nhost: localhost\r\ncontent-length: 27\r\n"
REQUEST = HEAD + b"content-type: application/json\r\n\r\n" + ASK


def connect(server: Running) -> socket.socket:
    """A new connection."""
    host, port = server.address.split(":")
    return socket.create_connection((host, int(port)), timeout=60)


def all_of(connection: socket.socket) -> bytes:
    """What comes until the server closes."""
    found = b""
    while data := connection.recv(65_536):
        found += data
    return found


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        (b"\x00\x01\x02", 400, "invalid_request"),
        (b"GET / HTTP/9.9\r\n\r\n", 400, "invalid_request"),
        (b"GET / HTTP/1.1\r\nhost localhost\r\n\r\n", 400, "invalid_request"),
        (HEAD + b"transfer-encoding: chunked\r\n\r\nxyz\r\n", 400, "invalid_request"),
        (b"GET / HTTP/1.1\r\nx: " + b"a" * 20_000 + b"\r\n\r\n", 431, "headers_too_large"),
        (b"GET / HTTP/1.1\r\n" + b"x: a\r\n" * 200 + b"\r\n", 431, "headers_too_large"),
        (b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n", 431, "headers_too_large"),
    ],
)
def test_what_never_reaches_the_application_is_refused_from_the_catalogue(
    shared: Running, sent: bytes, status: int, code: str
) -> None:
    with connect(shared) as connection:
        connection.sendall(sent)
        head, _, body = all_of(connection).partition(b"\r\n\r\n")

    error = json.loads(body)["error"]
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert (set(error), error["code"]) == ({"code", "message", "request_id"}, code)
    assert error["message"].startswith(FAULTS[code].message)


def test_a_full_server_turns_away_and_keeps_the_connection(serve: Serve, shop: Path) -> None:
    server = serve(shop, "--workers", "1", "--queue-texts", "1")
    os.kill(server.workers()[0], signal.SIGSTOP)
    told = []
    with ThreadPoolExecutor() as pool:
        accepted = server.hold_up(pool)
        connection = server.connect()
        for path in (PREDICT, "/v2/models/shop/infer"):
            connection.request("POST", path, ASK, {"x-request-id": "mine"})
            response = connection.getresponse()
            about = {name: response.headers[name] for name in ("retry-after", "x-request-id")}
            told.append((response.status, about, json.loads(response.read())["error"]))
        os.kill(server.workers()[0], signal.SIGCONT)
    assert [each.result()[0] for each in accepted] == [200, 200]
    connection.request("POST", PREDICT, ASK, {"content-type": "application/json"})

    message = FAULTS["overloaded"].message
    about = {"retry-after": "1", "x-request-id": "mine"}
    native = {"code": "overloaded", "message": message, "request_id": "mine"}
    assert told == [(429, about, native), (429, about, message)]
    assert connection.getresponse().status == 200
    counted = b'takeroot_requests_total{outcome="overloaded",protocol="rest"} 2.0'
    assert counted in server.call("GET", "/metrics")[2]
    connection.close()


def test_who_is_refused_again_and_again_is_not_cut_off_when_the_server_ends(
    serve: Serve, shop: Path
) -> None:
    server = serve(shop, "--workers", "1", "--queue-texts", "1", "--drain-delay", "0")
    os.kill(server.workers()[0], signal.SIGSTOP)
    refused = [connect(server) for _ in range(100)]
    with ThreadPoolExecutor() as pool:
        accepted = server.hold_up(pool)
        for connection in refused:
            connection.sendall(REQUEST)
        for connection in refused:
            assert connection.recv(65_536).startswith(b"HTTP/1.1 429")
            connection.sendall(REQUEST)  # read when it is this connection's turn
        os.kill(server.process.pid, signal.SIGTERM)
        os.kill(server.workers()[0], signal.SIGCONT)
        found = [all_of(connection) for connection in refused]
        assert [each.result()[0] for each in accepted] == [200, 200]
    for connection in refused:
        connection.close()
    assert [each.count(b"HTTP/1.1 ") for each in found] == [1] * 100
    assert server.process.wait(60) == 0


def test_who_has_connected_when_the_server_ends_is_still_answered(serve: Serve, shop: Path) -> None:
    server = serve(shop, "--drain-delay", "0")
    known = [connect(server) for _ in range(5)]
    os.kill(server.process.pid, signal.SIGSTOP)
    waiting = [connect(server) for _ in range(5)]  # in the kernel: nobody has let them in yet
    os.kill(server.process.pid, signal.SIGTERM)
    for connection in known + waiting:
        connection.sendall(REQUEST)
    os.kill(server.process.pid, signal.SIGCONT)

    found = [all_of(connection) for connection in known + waiting]

    for connection in known + waiting:
        connection.close()
    assert [each[:12] for each in found] == [b"HTTP/1.1 200"] * 10
    assert all(b"connection: close" in each for each in found)
    assert server.process.wait(60) == 0


def test_a_connection_that_says_nothing_does_not_hold_up_the_end(serve: Serve, shop: Path) -> None:
    server = serve(shop, "--drain-delay", "0")
    silent = [connect(server) for _ in range(20)]
    silent[0].sendall(REQUEST[:50])

    assert server.stop() == 0
    for connection in silent:
        connection.close()
