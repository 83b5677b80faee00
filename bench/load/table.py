"""takeroot and its peers: how each is started and asked. See bench/peers/README.md.

Adding a peer: a file in bench/peers, an entry in ``SERVERS``, a line in the README.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from load.servers import APPS, QUIET, Front, Place, Server


def _takeroot(place: Place) -> list[str | Path]:
    rest, grpc = map(str, place.ports)
    return [
        place.programs / "takeroot", "serve", place.bundle, "--port", rest, "--grpc-port", grpc,
        "--drain-delay", "0",
    ]  # fmt: skip


def _recording(*options: str) -> Server:
    return Server(
        "",
        lambda place: [*_takeroot(place), "--record", place.work / "records", *options],
        (_NATIVE,),
        "as takeroot, every request kept",
    )


def _fastapi(place: Place) -> list[str | Path]:
    return [
        place.programs / "uvicorn", "fastapi_app:app", "--workers", "2", "--loop", "uvloop",
        "--http", "httptools", "--port", str(place.ports[0]), "--no-access-log",
        "--log-level", "warning",
    ]  # fmt: skip


def _bentoml(place: Place) -> list[str | Path]:
    return [
        place.programs / "bentoml", "serve", "bentoml_app:Classify", "--working-dir", APPS,
        "--port", str(place.ports[0]),
    ]  # fmt: skip


def _mlserver(place: Place) -> list[str | Path]:
    rest, grpc = place.ports
    settings = {"parallel_workers": 2, "http_port": rest, "grpc_port": grpc, "debug": False}
    settings |= {"metrics_endpoint": None}
    (place.work / "settings.json").write_text(json.dumps(settings))
    model = {"name": "classify", "implementation": "mlserver_app.Classify"}
    (place.work / "model-settings.json").write_text(json.dumps(model))
    return [place.programs / "mlserver", "start", place.work]


def _mlflow(place: Place) -> list[str | Path]:
    folder = place.work / "model"
    environment = {**os.environ, **QUIET, "BUNDLE": str(place.bundle)}
    subprocess.run(
        [place.programs / "python", APPS / "mlflow_app.py", folder],
        check=True, capture_output=True, cwd=place.work, env=environment,
    )  # fmt: skip
    return [
        place.programs / "mlflow", "models", "serve", "-m", folder, "-p", str(place.ports[0]),
        "-w", "2", "--env-manager", "local",
    ]  # fmt: skip


def _v2(shape: Callable[[int], list[int]]) -> Callable[[Sequence[str]], Any]:
    """A request of the V2 protocol in JSON."""
    return lambda texts: {
        "inputs": [
            {"name": "text", "shape": shape(len(texts)), "datatype": "BYTES", "data": list(texts)}
        ],
        "outputs": [{"name": "label", "parameters": {"binary_data": False}}],
    }


def _mosec(batch: int, wait_ms: int) -> Server:
    return Server(
        "mosec",
        lambda at: [at.programs / "python", APPS / "mosec_app.py", "--port", str(at.ports[0])],
        (Front("/inference", lambda texts: {"text": texts[0]}),),
        f"2 workers, max_batch_size {batch}, max_wait_time {wait_ms} ms",
        {"BATCH": str(batch), "WAIT_MS": str(wait_ms)},
    )


_NATIVE = Front(
    "/v1/models/{model}/predict",
    lambda texts: {"inputs": list(texts), "options": {"top_k": 1}},
    "REST",
    batches=True,
)

SERVERS: dict[str, Server] = {
    "takeroot": Server(
        "",
        _takeroot,
        (_NATIVE, Front("", None, "gRPC", port=1, batches=True)),
        "as it comes: a worker process a core; also abstains, counts and checks limits",
    ),
    "fastapi": Server(
        "fastapi",
        _fastapi,
        (Front("/classify", lambda texts: {"texts": list(texts)}, batches=True),),
        "uvicorn, 2 workers, uvloop, httptools; no batching",
    ),
    "mosec": _mosec(4, 1),
    "mosec-alone": _mosec(1, 0),
    "pytriton": Server(
        "pytriton",
        lambda at: [at.programs / "python", APPS / "pytriton_app.py", *map(str, at.ports)],
        (Front("/v2/models/classify/infer", _v2(lambda count: [count, 1])),),
        "2 callables, max_batch_size 16, max_queue_delay 1 ms, REST V2",
    ),
    "mlserver": Server(
        "mlserver",
        _mlserver,
        (Front("/v2/models/classify/infer", _v2(lambda count: [count])),),
        "2 parallel workers, no adaptive batching (its better setting here), REST V2",
    ),
    "litserve": Server(
        "litserve",
        lambda at: [at.programs / "python", APPS / "litserve_app.py", str(at.ports[0])],
        (Front("/predict", lambda texts: {"text": texts[0]}),),
        "2 workers a device, no batching (its better setting here)",
    ),
    "bentoml": Server(
        "bentoml",
        _bentoml,
        (Front("/classify", lambda texts: {"texts": list(texts)}, batches=True),),
        "2 workers, max_batch_size 16, max_latency_ms 1000",
    ),
    "mlflow": Server(
        "mlflow",
        _mlflow,
        (Front("/invocations", lambda texts: {"inputs": list(texts)}, batches=True),),
        "models serve, 2 workers, local environment",
    ),
}

# Measured where they are named: the same server with more to do.
VARIANTS: dict[str, Server] = {
    "takeroot-record": _recording(),
    "takeroot-record-mask": _recording("--mask"),
}
