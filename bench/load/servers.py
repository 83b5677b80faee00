"""A server: how it is started, asked and ended."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from load.generator import Kind
from load.process import stop
from load.requests import grpc_request, http_request

APPS = Path(__file__).resolve().parents[1] / "peers"
PATIENCE_S = 120.0  # for a server's first answer
LOOK_S = 0.01  # between two looks whether it answers
QUIET = {
    "DO_NOT_TRACK": "1",
    "BENTOML_DO_NOT_TRACK": "True",
    "HF_HUB_OFFLINE": "1",
    "OMP_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "PYTHONPATH": os.pathsep.join(filter(None, (str(APPS), os.environ.get("PYTHONPATH")))),
}


@dataclass(frozen=True)
class Place:
    """What a server is started with.

    Args:
        programs: The folder of its environment's programs.
        bundle: The bundle's folder.
        model: The model's name.
        ports: Two free ones.
        work: A folder to write into.
    """

    programs: Path
    bundle: Path
    model: str
    ports: tuple[int, int]
    work: Path


@dataclass(frozen=True)
class Front:
    """One way to ask a server.

    Args:
        path: Of the address; ``{model}`` stands for the model's name.
        body: The request's JSON for some texts; None where the front is gRPC.
        name: Added to the server's name.
        port: 0 or 1: which of the place's ports.
        batches: Whether a request may hold many texts.
    """

    path: str
    body: Callable[[Sequence[str]], Any] | None
    name: str = ""
    port: int = 0
    batches: bool = False

    @property
    def kind(self) -> Kind:
        """The protocol."""
        return "grpc" if self.body is None else "http"

    def request(self, model: str, texts: Sequence[str]) -> bytes:
        """A request as it goes over the wire."""
        if self.body is None:
            return grpc_request(model, texts)
        return http_request(self.path.format(model=model), self.body(texts))


@dataclass(frozen=True)
class Server:
    """How a server is started and asked.

    Args:
        environment: Name of its environment's folder; empty for the one that runs the benchmark.
        line: The command, and what must be written before it can run.
        fronts: Ways to ask it; the first is REST.
        remark: How it is set.
        variables: Of the process's environment.
    """

    environment: str
    line: Callable[[Place], list[str | Path]]
    fronts: tuple[Front, ...]
    remark: str
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Running:
    """A server that answers.

    Args:
        process: Its first process.
        place: What it was started with.
        start_s: From the process's start to its first answer.
    """

    process: subprocess.Popen[bytes]
    place: Place
    start_s: float


class Failed(RuntimeError):
    """A server that did not come to answer, and the end of what it said."""


def programs(server: Server, peers: Path | None) -> Path | None:
    """The folder of a server's programs; None if its environment is not there."""
    if not server.environment:
        return Path(sys.executable).parent
    if peers is None or not (peers / server.environment / "bin" / "python").exists():
        return None
    return (peers / server.environment / "bin").absolute()


@contextmanager
def started(server: Server, bundle: Path, model: str, home: Path) -> Iterator[Running]:
    """A server that answers, ended with the block.

    Raises:
        Failed: If it does not answer in two minutes.
    """
    with tempfile.TemporaryDirectory() as work, tempfile.TemporaryFile() as log:
        place = Place(home, bundle.absolute(), model, _free_ports(), Path(work))
        line = server.line(place)
        variables = {**os.environ, **QUIET, "BUNDLE": str(place.bundle), **server.variables}
        variables["PATH"] = f"{home}{os.pathsep}{os.environ['PATH']}"
        began = time.perf_counter()
        process = subprocess.Popen(
            line, env=variables, cwd=work, stdout=log, stderr=log, start_new_session=True
        )
        try:
            while ask(server, place, ["ready"]) is None:
                if process.poll() is not None or time.perf_counter() - began > PATIENCE_S:
                    log.seek(0)
                    raise Failed(log.read()[-600:].decode(errors="replace").strip())
                time.sleep(LOOK_S)
            yield Running(process, place, time.perf_counter() - began)
        finally:
            stop(process)


def ask(server: Server, place: Place, texts: Sequence[str]) -> bytes | None:
    """The body of a good answer over REST, or None."""
    front = server.fronts[0]
    assert front.body is not None
    connection = HTTPConnection("127.0.0.1", place.ports[0], timeout=5)
    try:
        body = json.dumps(front.body(texts))
        path = front.path.format(model=place.model)
        connection.request("POST", path, body, {"content-type": "application/json"})
        response = connection.getresponse()
        data = response.read()
    except (OSError, HTTPException):
        return None
    finally:
        connection.close()
    return data if response.status // 100 == 2 else None


def label_in(body: bytes | None, labels: Sequence[str]) -> str | None:
    """The first of the labels that stands in an answer as a JSON string."""
    known = set(labels)
    strings = re.findall(r'"([^"]+)"', (body or b"").decode())
    return next((each for each in strings if each in known), None)


def _free_ports() -> tuple[int, int]:
    """Two ports that nobody listens on."""
    with socket.socket() as first, socket.socket() as second:
        for each in (first, second):
            each.bind(("127.0.0.1", 0))
        return first.getsockname()[1], second.getsockname()[1]
