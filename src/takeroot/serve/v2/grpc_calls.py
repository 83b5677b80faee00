"""The gRPC calls with one request and one answer, each with the scope it needs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from google.protobuf.json_format import ParseDict

from takeroot.serve.faults import ServeError
from takeroot.serve.service import Service
from takeroot.serve.v2 import describe, grpc_body
from takeroot.serve.v2.infer import infer
from takeroot.serve.v2.messages import INFERENCE

NO_SCOPE = "none"


@dataclass(frozen=True, slots=True)
class Ask:
    """A call.

    Args:
        service: Answers it.
        request: The message.
        response: Class of the answer.
        remaining_s: Until the call's deadline; None without one.
    """

    service: Service
    request: Any
    response: Any
    remaining_s: float | None

    @property
    def model(self) -> tuple[str, str | None]:
        """Name and version that are asked about."""
        return self.request.name, self.request.version or None

    def filled(self, **values: Any) -> bytes:
        """The bytes of the answer with these fields."""
        return bytes(ParseDict(values, self.response()).SerializeToString())


@dataclass(frozen=True)
class Call:
    """How a call with one request and one answer is answered.

    Args:
        scope: What a token must allow; ``none`` for a call open to all.
        answer: Gives the bytes of the response.
    """

    scope: str
    answer: Callable[[Ask], Awaitable[bytes]]


async def _server_live(ask: Ask) -> bytes:
    """Whether the process runs."""
    return ask.filled(live=ask.service.live())


async def _server_ready(ask: Ask) -> bytes:
    """Whether every model answers."""
    return ask.filled(ready=await ask.service.ready())


async def _model_ready(ask: Ask) -> bytes:
    """Whether a model answers."""
    return ask.filled(ready=describe.ready(ask.service, *ask.model))


async def _server_metadata(ask: Ask) -> bytes:
    """The server's metadata."""
    return ask.filled(**describe.server())


async def _model_metadata(ask: Ask) -> bytes:
    """A model's metadata."""
    return ask.filled(**describe.metadata(ask.service, *ask.model))


async def _model_config(ask: Ask) -> bytes:
    """A model's configuration."""
    return ask.filled(config=describe.config(ask.service, *ask.model))


async def _model_statistics(ask: Ask) -> bytes:
    """What one model or all have done."""
    name, version = ask.model
    return ask.filled(**describe.statistics(ask.service, name or None, version))


async def _model_infer(ask: Ask) -> bytes:
    """Answers to texts."""
    request = grpc_body.read(ask.request, ask.service.settings.max_inputs, ask.remaining_s)
    return grpc_body.write(await infer(ask.service, request), ask.request.id)


async def _repository_index(ask: Ask) -> bytes:
    """What the repository holds."""
    _one_repository(ask)
    return ask.filled(models=describe.index(ask.service, only_ready=ask.request.ready))


async def _load(ask: Ask) -> bytes:
    """Serve a model; a configuration or files of the client's are not taken."""
    _one_repository(ask)
    if ask.request.parameters:
        raise ServeError("not_supported")
    await ask.service.load(ask.request.model_name)
    return ask.filled()


async def _unload(ask: Ask) -> bytes:
    """Stop serving a model."""
    _one_repository(ask)
    await ask.service.unload(ask.request.model_name)
    return ask.filled()


async def _unsupported(ask: Ask) -> bytes:
    """A call of the protocol that this server does not offer."""
    del ask
    raise ServeError("not_supported")


async def _health_check(ask: Ask) -> bytes:
    """Whether a gRPC service answers."""
    status = await health(ask.service, ask.request.service)
    if status == "SERVICE_UNKNOWN":
        raise ServeError("unknown_model", known=INFERENCE)
    return ask.filled(status=status)


def _one_repository(ask: Ask) -> None:
    """Refuse a named repository: there is but one."""
    if ask.request.repository_name:
        raise ServeError("not_supported")


async def health(service: Service, name: str) -> str:
    """The health of a gRPC service."""
    if name not in ("", INFERENCE):
        return "SERVICE_UNKNOWN"
    return "SERVING" if await service.ready() else "NOT_SERVING"


CALLS: dict[str, Call] = {
    "ServerLive": Call(NO_SCOPE, _server_live),
    "ServerReady": Call(NO_SCOPE, _server_ready),
    "ModelReady": Call("predict", _model_ready),
    "ServerMetadata": Call("predict", _server_metadata),
    "ModelMetadata": Call("predict", _model_metadata),
    "ModelInfer": Call("predict", _model_infer),
    "ModelConfig": Call("predict", _model_config),
    "ModelStatistics": Call("predict", _model_statistics),
    "RepositoryIndex": Call("models", _repository_index),
    "RepositoryModelLoad": Call("models", _load),
    "RepositoryModelUnload": Call("models", _unload),
    "SystemSharedMemoryStatus": Call("models", _unsupported),
    "SystemSharedMemoryRegister": Call("models", _unsupported),
    "SystemSharedMemoryUnregister": Call("models", _unsupported),
    "CudaSharedMemoryStatus": Call("models", _unsupported),
    "CudaSharedMemoryRegister": Call("models", _unsupported),
    "CudaSharedMemoryUnregister": Call("models", _unsupported),
    "TraceSetting": Call("models", _unsupported),
    "LogSettings": Call("models", _unsupported),
}
HEALTH_CALLS: dict[str, Call] = {"Check": Call(NO_SCOPE, _health_check)}
