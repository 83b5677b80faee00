"""A server to hurt: the command in a process of its own, and what its processes take."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from load.process import memory

PATIENCE_S = 60


@dataclass
class Server:
    """A running server.

    Args:
        process: The command.
        rest: Host and port of REST.
        grpc: Host and port of gRPC.
        model: Name of the model that is served.
        log: What it writes on stderr.
    """

    process: subprocess.Popen[str]
    rest: tuple[str, int]
    grpc: str
    model: str
    log: IO[str]

    @property
    def workers(self) -> list[int]:
        """Process ids of the workers."""
        pid = self.process.pid
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def memory_mb(self) -> float:
        """Memory of all its processes, shared pages counted once."""
        return memory(self.process.pid).proportional

    def call(
        self, method: str, path: str, body: Any = None, timeout_s: float = PATIENCE_S
    ) -> tuple[int, bytes]:
        """Status and body of one request over a connection of its own; 0 if there is no answer."""
        connection = HTTPConnection(*self.rest, timeout=timeout_s)
        try:
            data = None if body is None else json.dumps(body)
            connection.request(method, path, data, {"content-type": "application/json"})
            response = connection.getresponse()
            return response.status, response.read()
        except (OSError, HTTPException):
            return 0, b""
        finally:
            connection.close()

    def metric(self, name: str) -> int:
        """What /metrics says of something without labels; -1 if it says nothing."""
        _, told = self.call("GET", "/metrics")
        found = re.search(rb"^%s (\d+)" % name.encode(), told, re.MULTILINE)
        return int(found[1]) if found else -1

    def predict(self, *texts: str) -> tuple[int, float]:
        """Status of one prediction, and the seconds it took."""
        start = time.perf_counter()
        status, _ = self.call(
            "POST", f"/v1/models/{self.model}/predict", {"inputs": list(texts or ("where is it",))}
        )
        return status, time.perf_counter() - start

    def stop(self) -> int:
        """End it as an operator does; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_S)

    def said(self) -> str:
        """What it wrote on stderr."""
        self.log.seek(0)
        return self.log.read()


@contextmanager
def serving(folder: Path, *options: str) -> Iterator[Server]:
    """A server over a folder, killed at the end of the block if it still runs."""
    tool = Path(sys.executable).with_name("takeroot")
    line = [str(tool), "serve", str(folder), "--port", "0", "--grpc-port", "0", "--json"]
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            [*line, "--drain-delay", "0.2", *options],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )
        assert process.stdout is not None
        try:
            said = json.loads(process.stdout.readline())
            place = urlsplit(said["rest"])
            model = said["models"][0].split()[0]
            yield Server(
                process, (str(place.hostname), int(place.port or 0)), said["grpc"], model, log
            )
        finally:
            process.kill()
            process.communicate()


class Prober:
    """Asks for probes and metrics every ``every_s`` seconds, each on a connection of its own."""

    PATHS = ("/healthz", "/readyz", "/metrics")

    def __init__(self, server: Server, every_s: float = 0.5) -> None:
        self.server, self.every_s = server, every_s
        self.statuses: list[int] = []
        self.slowest_s = 0.0
        self.memory_mb: list[float] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._probe)

    def __enter__(self) -> Prober:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _probe(self) -> None:
        while not self._ended.wait(self.every_s):
            for path in self.PATHS:
                start = time.perf_counter()
                self.statuses.append(self.server.call("GET", path, timeout_s=10)[0])
                self.slowest_s = max(self.slowest_s, time.perf_counter() - start)
            self.memory_mb.append(self.server.memory_mb())
