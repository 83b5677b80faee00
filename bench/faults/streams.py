"""Clients that leave in the middle of a text: the worker goes on with who waits."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

from faults.life import wait_for
from faults.row import Row
from faults.server import PATIENCE_S, Server, serving

WAITING = "takeroot_waiting_answers"
LOOK_S = 0.005  # between two looks at who waits
LEAVE_S = 0.1  # in which the worker is given to who waits
PROMPT = "Tell a long story about a parcel that travels around the world, town by town."


def streams(rounds: int, bundle: Path | None) -> list[Row]:
    """One worker writes for a client that leaves; another client waits for that worker."""
    part = "streams"
    if bundle is None:
        return [Row(part, "skipped: needs --bundle of a model that writes", "", "", ok=True)]
    with serving(bundle, "--workers", "1") as server:
        about = json.loads(server.call("GET", f"/v1/models/{server.model}")[1])
        if "writes" not in about:
            return [Row(part, "skipped: the bundle's model writes no texts", "", "", ok=True)]
        free = sorted(leave(server) for _ in range(rounds))
        code = server.stop()
    return [
        Row(
            part,
            f"worker free after a reader left, {rounds} times",
            f"p50 {1000 * free[rounds // 2]:.0f} ms, slowest {1000 * free[-1]:.0f} ms",
            f"{1000 * LEAVE_S:.0f} ms",
            free[-1] <= LEAVE_S,
        ),
        Row(part, "exit code", str(code), "0", code == 0),
    ]


def leave(server: Server) -> float:
    """Seconds from the moment a reader leaves until nobody waits for the worker."""
    with _asked(server) as reads:
        response = reads.getresponse()
        _event(response)
        with _asked(server):
            wait_for(lambda: server.metric(WAITING) > 0)
            _event(response)  # it is still being written
            start = time.perf_counter()
            response.close()
            reads.close()
            while time.perf_counter() - start < PATIENCE_S and server.metric(WAITING):
                time.sleep(LOOK_S)
            return time.perf_counter() - start


@contextmanager
def _asked(server: Server) -> Iterator[HTTPConnection]:
    """A connection over which a text was asked for in pieces."""
    line = HTTPConnection(*server.rest, timeout=PATIENCE_S)
    body = json.dumps({"inputs": [PROMPT], "options": {"stream": True}})
    path = f"/v1/models/{server.model}/predict"
    line.request("POST", path, body, {"content-type": "application/json"})
    try:
        yield line
    finally:
        line.close()


def _event(response: HTTPResponse) -> None:
    """Read one piece."""
    while not response.readline().startswith(b"data: "):
        pass
