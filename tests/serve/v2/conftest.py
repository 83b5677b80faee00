"""Real servers for real clients: tiny models behind REST and gRPC, on one loop in one thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import onnx
import pytest
import uvicorn
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from takeroot.bundle import BundleWriter, Predictor, Spec, open_bundle
from takeroot.bundle.answer import Answer
from takeroot.bundle.features import NgramFeatures
from takeroot.serve.caller import Gate
from takeroot.serve.faults import ServeError
from takeroot.serve.models import ModelInfo
from takeroot.serve.rest import App
from takeroot.serve.service import CALLER, Reply
from takeroot.serve.settings import Settings
from takeroot.serve.statistics import ModelStatistics
from takeroot.serve.telemetry import Telemetry
from takeroot.serve.v2.grpc import add_to

CREATED = "2025-01-01T00:00:00Z"
TEXTS = ["my card is lost", "where is my card", "change the pin", "please help", "我的卡丢了"]
LABELS = ("lost", "where", "pin", "hilfe-ü", "其他")
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "my", "card", "ann", "berlin", "in", "is"]
WAIT, BOOM = "wait for ever", "boom"  # texts the small service treats so


@dataclass
class SmallService:
    """What ``takeroot.serve.service.Service`` is to the protocol, in this process."""

    predictors: dict[str, Predictor]
    settings: Settings = field(default_factory=Settings)
    hidden: set[str] = field(default_factory=set)
    counted: dict[str, ModelStatistics] = field(default_factory=dict)
    healthy: bool = True
    draining: bool = False
    closing: asyncio.Event | None = None
    waiting: int = 0
    callers: list[str] = field(default_factory=list)
    deadlines: list[float | None] = field(default_factory=list)

    def models(self) -> list[ModelInfo]:
        return [self._info(name) for name in sorted(set(self.predictors) - self.hidden)]

    def find(self, name: str, version: str | None = None) -> ModelInfo:
        for info in self.models():
            if info.name == name and version in (None, info.version):
                return info
        raise ServeError("unknown_model", known=sorted(set(self.predictors) - self.hidden))

    async def predict(
        self,
        name: str,
        inputs: Sequence[str | tuple[str, str]],
        *,
        version: str | None = None,
        deadline: float | None = None,
        max_new_tokens: int | None = None,
    ) -> Reply[Answer]:
        assert max_new_tokens is None
        info = self.find(name, version)
        self.callers.append(CALLER.get().name)
        self.deadlines.append(deadline)
        if not inputs:
            raise ServeError("invalid_request", reason="there is no input")
        if BOOM in inputs:
            raise RuntimeError(f"could not read {BOOM}")
        if WAIT in inputs:
            await self._wait(deadline)
        answers = self.predictors[name].predict(inputs)
        self.counted[name].success_count += 1
        self.counted[name].inference_count += len(inputs)
        return Reply(info.name, info.version, answers)

    def live(self) -> bool:
        return True

    async def ready(self) -> bool:
        return self.healthy

    async def load(self, name: str) -> None:
        self.hidden.discard(name)
        self.find(name)

    async def unload(self, name: str) -> None:
        self.find(name)
        self.hidden.add(name)

    def repository(self) -> list[tuple[str, str, str]]:
        return [
            (name, self._info(name).version, "UNAVAILABLE" if name in self.hidden else "READY")
            for name in sorted(self.predictors)
        ]

    def statistics(
        self, name: str | None = None, version: str | None = None
    ) -> list[ModelStatistics]:
        if name is not None:
            self.find(name, version)
        return [self.counted[each.name] for each in self.models() if name in (None, each.name)]

    async def respond(
        self, method: str, path: str, headers: dict[bytes, bytes], body: bytes
    ) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        """Status, headers and body of the answer to a request over REST, without a network."""
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        named = {b"host": b"localhost", **headers}
        scope = {"method": method, "path": path, "headers": list(named.items())}
        await rest_app(self, Gate(None))(scope, receive, send)
        return sent[0]["status"], sent[0]["headers"], sent[1]["body"]

    def _info(self, name: str) -> ModelInfo:
        predictor = self.predictors[name]
        version = predictor.sha256[:12]
        self.counted.setdefault(name, ModelStatistics(name, version))
        return ModelInfo(name, version, predictor.spec, predictor.sha256)

    async def _wait(self, deadline: float | None) -> None:
        self.waiting += 1
        try:
            async with asyncio.timeout_at(deadline):
                await asyncio.Event().wait()
        except TimeoutError:
            raise ServeError("deadline_exceeded") from None
        finally:
            self.waiting -= 1


@dataclass(frozen=True)
class Servers:
    """Where the servers listen, and what is behind them."""

    rest: str
    grpc: str
    service: SmallService
    loop: asyncio.AbstractEventLoop


def rest_app(service: SmallService, gate: Gate) -> App:
    """The ASGI application around the service."""
    return App(service, gate, service.settings, Telemetry())  # type: ignore[arg-type]


@contextmanager
def running(service: SmallService, gate: Gate) -> Iterator[Servers]:
    """Both servers, until the block ends."""
    started, stop = threading.Event(), asyncio.Event()
    found: list[Servers] = []

    async def serve() -> None:
        config = uvicorn.Config(
            rest_app(service, gate), port=0, lifespan="off", log_config=None, ws="none"
        )
        rest = uvicorn.Server(config)
        calls = grpc.aio.server(options=[("grpc.max_receive_message_length", 4 << 20)])
        add_to(calls, service, gate, Telemetry())
        port = calls.add_insecure_port("127.0.0.1:0")
        await calls.start()
        listening = asyncio.create_task(rest._serve())
        while not rest.started:
            await asyncio.sleep(0.01)
        address = rest.servers[0].sockets[0].getsockname()
        loop = asyncio.get_running_loop()
        found.append(Servers(f"127.0.0.1:{address[1]}", f"127.0.0.1:{port}", service, loop))
        started.set()
        await stop.wait()
        rest.should_exit = True
        await asyncio.gather(listening, calls.stop(0.1))

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert started.wait(30)
    try:
        yield found[0]
    finally:
        found[0].loop.call_soon_threadsafe(stop.set)
        thread.join(30)


@pytest.fixture(scope="session")
def predictors(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Predictor]:
    """A model of each task, named after it."""
    folder = tmp_path_factory.mktemp("bundles")
    found = {task: _linear(folder / task, task) for task in ("classify", "pair", "multilabel")}
    return {**found, "tag": _tag(folder / "tag")}


@pytest.fixture
def service(predictors: dict[str, Predictor]) -> SmallService:
    """The models, without servers."""
    return SmallService(predictors)


@pytest.fixture(scope="session")
def gate() -> Gate:
    """Lets everybody in."""
    return Gate(None)


@pytest.fixture
def run_servers(service: SmallService) -> Iterator[Callable[[Gate], Servers]]:
    """Starts servers of one's own, with a gate; they end with the test."""
    with ExitStack() as stack:
        yield lambda gate: stack.enter_context(running(service, gate))


@pytest.fixture(scope="session")
def servers(predictors: dict[str, Predictor], gate: Gate) -> Iterator[Servers]:
    """Both servers, for all tests."""
    with running(SmallService(predictors), gate) as found:
        yield found


def _linear(folder: Path, task: str) -> Predictor:
    """A model with random weights."""
    features = NgramFeatures.fit(TEXTS, 500)
    rng = np.random.default_rng(len(task))
    arrays = {
        "coef": rng.normal(size=(len(features.idf), len(LABELS))).astype(np.float16),
        "intercept": np.linspace(0, 1, len(LABELS), dtype=np.float32),
        "idf": features.idf,
    }
    abstention = {"method": "max_softmax", "threshold": 0.3}
    values: dict[str, Any] = {"name": task, "task": task, "labels": LABELS, "runtime": "linear"}
    if task != "multilabel":
        values["abstention"] = abstention
    with BundleWriter(folder, created=CREATED) as writer:
        writer.write_spec(Spec.model_validate(values))
        writer.write_json("features.json", features.to_json())
        writer.write_bytes("linear.safetensors", save(arrays))
    return Predictor(open_bundle(folder), threads=1)


def _tag(folder: Path) -> Predictor:
    """A tagger that knows a person and a place by heart."""
    spec = Spec.model_validate(
        {"name": "tag", "task": "tag", "labels": ("PER", "LOC"), "runtime": "onnx"}
        | {"normalisation": "none", "max_tokens": 32}
    )
    table = np.zeros((len(WORDS), 5), np.float32)  # logits of O, B-PER, I-PER, B-LOC, I-LOC
    table[:, 0] = 5
    table[WORDS.index("ann")] = [0, 9, 0, 0, 0]
    table[WORDS.index("berlin")] = [0, 0, 0, 9, 0]
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["found"]),
        helper.make_node("Squeeze", ["found", "zeroth"], ["logits"]),
    ]
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, [1, "s"])
        for name in ("input_ids", "position_ids", "segments")
    ]
    outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["s", 5])]
    stored = [
        numpy_helper.from_array(table, "table"),
        numpy_helper.from_array(np.array([0], np.int64), "zeroth"),
    ]
    graph = helper.make_graph(nodes, "tags", inputs, outputs, stored)
    opset = helper.make_opsetid("", 17)
    model = helper.make_model(graph, opset_imports=[opset], ir_version=8)
    onnx.checker.check_model(model)
    with BundleWriter(folder, created=CREATED) as writer:
        writer.write_spec(spec)
        writer.write_bytes("tokenizer.json", _tokenizer().to_str().encode())
        writer.write_bytes("model.onnx", model.SerializeToString())
    return Predictor(open_bundle(folder), threads=1)


def _tokenizer() -> Tokenizer:
    """Whole words only."""
    vocabulary = {word: number for number, word in enumerate(WORDS)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return tokenizer
