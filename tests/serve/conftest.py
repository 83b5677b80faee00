"""Real servers: the command in a process of its own, with its workers."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

import pytest

from takeroot.bundle import BundleWriter, open_bundle

PATIENCE_S = 60  # machines that run tests are busy


@dataclass
class Running:
    """A server.

    Args:
        process: The command.
        address: Host and port of REST.
        grpc: Host and port of gRPC, or None.
        models: What it said it serves.
        log: What it wrote on stderr.
    """

    process: subprocess.Popen[str]
    address: str
    grpc: str | None
    models: list[str]
    log: IO[str]

    def connect(self) -> http.client.HTTPConnection:
        """A new connection."""
        return http.client.HTTPConnection(self.address, timeout=PATIENCE_S)

    def call(
        self, method: str, path: str, body: Any = None, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of one request; a body that is not bytes is sent as JSON."""
        connection = self.connect()
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body)
        if body is not None:
            sent.setdefault("content-type", "application/json")
        connection.request(method, path, body, sent)
        response = connection.getresponse()
        found = response.status, {k.lower(): v for k, v in response.getheaders()}, response.read()
        connection.close()
        return found

    def predict(self, *texts: str, model: str = "shop", **headers: str) -> tuple[int, Any]:
        """Status and JSON of a prediction."""
        status, _, body = self.call(
            "POST", f"/v1/models/{model}/predict", {"inputs": list(texts)}, **headers
        )
        return status, json.loads(body)

    def waiting(self) -> float:
        """How many texts wait."""
        lines = self.call("GET", "/metrics")[2].decode().splitlines()
        (line,) = [each for each in lines if each.startswith("takeroot_waiting_texts ")]
        return float(line.split()[-1])

    def hold_up(self, pool: ThreadPoolExecutor) -> list[Future[tuple[int, Any]]]:
        """Two predictions whose one worker stands still: it has the first, the second waits."""
        first = pool.submit(self.predict, "first")
        time.sleep(1.0)  # until the worker has it
        second = pool.submit(self.predict, "second")
        end = time.monotonic() + PATIENCE_S
        while self.waiting() != 1:
            assert time.monotonic() < end
            time.sleep(0.02)
        return [first, second]

    def workers(self) -> list[int]:
        """Process ids of the workers."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(each) for each in children.read_text().split()]

    def stop(self) -> int:
        """End it as an operator does; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_S)


Serve = Callable[..., Running]


@contextmanager
def starter() -> Iterator[Serve]:
    """A function that starts a server; every one is ended with the block."""
    started: list[Running] = []

    def start(folder: Path, *options: str, **environment: str) -> Running:
        tool = Path(sys.executable).with_name("takeroot")
        line = [str(tool), "serve", str(folder), "--port", "0", "--json"]
        if "--grpc-port" not in options:
            line += ["--grpc-port", "-1"]
        log = tempfile.TemporaryFile("w+")  # noqa: SIM115  # closed when the server is
        process = subprocess.Popen(
            [*line, "--drain-delay", "0.1", *options],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=os.environ | environment,
        )
        assert process.stdout is not None
        said = process.stdout.readline()
        if not said.startswith('{"rest"'):
            process.communicate()
            log.seek(0)
            pytest.fail(f"the server did not start: {log.read()}")
        found = json.loads(said)
        address = urlsplit(found["rest"]).netloc
        running = Running(process, address, found["grpc"], found["models"], log)
        started.append(running)
        return running

    try:
        yield start
    finally:
        for running in started:
            workers = running.workers() if running.process.poll() is None else []
            running.process.kill()
            for worker in workers:  # one that stands still would not end by itself
                with suppress(ProcessLookupError):
                    os.kill(worker, signal.SIGKILL)
            running.process.communicate()
            running.log.close()


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start servers for one test."""
    with starter() as start:
        yield start


@pytest.fixture(scope="module")
def serve_a_file() -> Iterator[Serve]:
    """Start servers for all tests of a file."""
    with starter() as start:
        yield start


@pytest.fixture(scope="module")
def shared(serve_a_file: Serve, shop_bundle: Path) -> Running:
    """One server for all tests of a file that change nothing."""
    return serve_a_file(shop_bundle)


@pytest.fixture
def shop(tmp_path: Path, shop_bundle: Path) -> Path:
    """A folder with one bundle, which a test may change."""
    folder = tmp_path / "models"
    shutil.copytree(shop_bundle, folder / "shop")
    return folder


@pytest.fixture
def changed_copy() -> Callable[[Path, Path], str]:
    """A function that makes a later bundle of a model; it gives the new version."""
    return _changed_copy


def _changed_copy(bundle: Path, to: Path) -> str:
    """A later bundle of the same model with another threshold; its version."""
    old = open_bundle(bundle)
    spec = old.spec.model_copy(
        update={"abstention": old.spec.abstention.model_copy(update={"threshold": 0.4})}  # type: ignore[union-attr]
    )
    with BundleWriter(to, created="2026-01-01T00:00:00Z") as writer:
        writer.write_spec(spec)
        for name in ("features.json", "linear.safetensors", "report.html"):
            writer.write_bytes(name, old.read(name))
    return open_bundle(to).sha256[:12]
