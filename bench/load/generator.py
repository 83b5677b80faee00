"""The load generator: compiled once a run, started for every measurement."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from load.process import cpu_s

SOURCE = Path(__file__).resolve().parents[1] / "loadgen.c"
LONGER_S = 40.0  # than the load itself: connections are opened, and late answers waited for

Kind = Literal["http", "grpc"]


@dataclass(frozen=True)
class Target:
    """Where requests go.

    Args:
        port: On 127.0.0.1.
        requests: The file of them.
        kind: Their protocol.
        pid: The server's first process.
    """

    port: int
    requests: Path
    kind: Kind
    pid: int


def compiled(folder: Path) -> Path | None:
    """The load generator; None where there is no C compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    program = folder / "loadgen"
    subprocess.run([compiler, "-O2", "-o", program, SOURCE, "-lm"], check=True)
    return program


def load(
    program: Path, target: Target, connections: int, seconds: float, rate: float = 0
) -> dict[str, Any]:
    """What came of load on a server: what loadgen.c prints, and ``server_cpu_ms`` an answer.

    Args:
        program: The compiled generator.
        target: Where it sends.
        connections: How many it keeps open.
        seconds: How long.
        rate: Requests a second of an open loop; 0 for a closed one.
    """
    line = [program, "127.0.0.1", target.port, target.requests, connections, seconds, rate]
    before = cpu_s(target.pid)
    done = subprocess.run(
        [*map(str, line), str(connections), target.kind],
        check=True,
        capture_output=True,
        timeout=seconds + LONGER_S,
    )
    spent = cpu_s(target.pid) - before
    found: dict[str, Any] = json.loads(done.stdout)
    sent = found["answered"] + connections  # each connection's first is not counted
    return {**found, "server_cpu_ms": 1000 * spent / sent}
