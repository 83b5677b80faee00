"""Every call of the protocol, without a client library: what it answers, and to whom."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2
from tritonclient.grpc import service_pb2

from takeroot.serve.caller import Gate
from takeroot.serve.tokens import SCOPES, create
from takeroot.serve.v2 import messages, scope_of
from takeroot.serve.v2.grpc import SERVICES
from takeroot.serve.v2.grpc import scope_of as rpc_scope_of
from takeroot.serve.v2.rest import ROUTES

TENSOR = {"name": "text", "datatype": "BYTES", "shape": [1], "data": ["my card"]}
INFER = {"inputs": [TENSOR]}

# Every address of the protocol and Triton's extensions: method and path, body, status.
REST: dict[str, tuple[Any, int]] = {
    "GET /v2": (None, 200),
    "GET /v2/health/live": (None, 200),
    "GET /v2/health/ready": (None, 200),
    "GET /v2/models/{model}": (None, 200),
    "GET /v2/models/{model}/versions/{version}": (None, 200),
    "GET /v2/models/{model}/ready": (None, 200),
    "GET /v2/models/{model}/versions/{version}/ready": (None, 200),
    "GET /v2/models/{model}/config": (None, 200),
    "GET /v2/models/{model}/versions/{version}/config": (None, 200),
    "GET /v2/models/{model}/stats": (None, 200),
    "GET /v2/models/{model}/versions/{version}/stats": (None, 200),
    "GET /v2/models/stats": (None, 200),
    "POST /v2/models/{model}/infer": (INFER, 200),
    "POST /v2/models/{model}/versions/{version}/infer": (INFER, 200),
    "POST /v2/models/{model}/generate": ({"text": "a"}, 501),
    "POST /v2/models/{model}/versions/{version}/generate": ({"text": "a"}, 501),
    "POST /v2/models/{model}/generate_stream": ({"text": "a"}, 501),
    "POST /v2/models/{model}/versions/{version}/generate_stream": ({"text": "a"}, 501),
    "POST /v2/repository/index": (None, 200),
    "POST /v2/repository/models/{model}/load": (None, 200),
    "POST /v2/repository/models/{model}/unload": (None, 200),
    "POST /v2/repository/{repository}/index": (None, 501),
    "POST /v2/repository/{repository}/models/{model}/load": (None, 501),
    "POST /v2/repository/{repository}/models/{model}/unload": (None, 501),
    "GET /v2/trace/setting": (None, 501),
    "POST /v2/trace/setting": ({"trace_rate": "1"}, 501),
    "GET /v2/models/{model}/trace/setting": (None, 501),
    "POST /v2/models/{model}/trace/setting": ({"trace_rate": "1"}, 501),
    "GET /v2/logging": (None, 501),
    "POST /v2/logging": ({"log_info": True}, 501),
    "GET /v2/systemsharedmemory/status": (None, 501),
    "GET /v2/systemsharedmemory/region/{region}/status": (None, 501),
    "POST /v2/systemsharedmemory/register": (None, 501),
    "POST /v2/systemsharedmemory/region/{region}/register": ({"key": "/k"}, 501),
    "POST /v2/systemsharedmemory/unregister": (None, 501),
    "POST /v2/systemsharedmemory/region/{region}/unregister": (None, 501),
    "GET /v2/cudasharedmemory/status": (None, 501),
    "GET /v2/cudasharedmemory/region/{region}/status": (None, 501),
    "POST /v2/cudasharedmemory/register": (None, 501),
    "POST /v2/cudasharedmemory/region/{region}/register": ({"raw_handle": {}}, 501),
    "POST /v2/cudasharedmemory/unregister": (None, 501),
    "POST /v2/cudasharedmemory/region/{region}/unregister": (None, 501),
}

_RAW = {"name": "text", "datatype": "BYTES", "shape": [1]}
_ASK = {"model_name": "classify", "inputs": [_RAW], "raw_input_contents": [b"\1\0\0\0a"]}
OK, NO = grpc.StatusCode.OK, grpc.StatusCode.UNIMPLEMENTED

# Every call of the two services: fields of the request, status.
RPC: dict[str, tuple[dict[str, Any], grpc.StatusCode]] = {
    "inference.GRPCInferenceService/ServerLive": ({}, OK),
    "inference.GRPCInferenceService/ServerReady": ({}, OK),
    "inference.GRPCInferenceService/ModelReady": ({"name": "classify"}, OK),
    "inference.GRPCInferenceService/ServerMetadata": ({}, OK),
    "inference.GRPCInferenceService/ModelMetadata": ({"name": "tag"}, OK),
    "inference.GRPCInferenceService/ModelInfer": (_ASK, OK),
    "inference.GRPCInferenceService/ModelStreamInfer": (_ASK, OK),
    "inference.GRPCInferenceService/ModelConfig": ({"name": "pair"}, OK),
    "inference.GRPCInferenceService/ModelStatistics": ({}, OK),
    "inference.GRPCInferenceService/RepositoryIndex": ({}, OK),
    "inference.GRPCInferenceService/RepositoryModelLoad": ({"model_name": "tag"}, OK),
    "inference.GRPCInferenceService/RepositoryModelUnload": ({"model_name": "tag"}, OK),
    "inference.GRPCInferenceService/SystemSharedMemoryStatus": ({}, NO),
    "inference.GRPCInferenceService/SystemSharedMemoryRegister": ({"name": "r"}, NO),
    "inference.GRPCInferenceService/SystemSharedMemoryUnregister": ({"name": "r"}, NO),
    "inference.GRPCInferenceService/CudaSharedMemoryStatus": ({}, NO),
    "inference.GRPCInferenceService/CudaSharedMemoryRegister": ({"name": "r"}, NO),
    "inference.GRPCInferenceService/CudaSharedMemoryUnregister": ({"name": "r"}, NO),
    "inference.GRPCInferenceService/TraceSetting": ({"model_name": "tag"}, NO),
    "inference.GRPCInferenceService/LogSettings": ({}, NO),
    "grpc.health.v1.Health/Check": ({}, OK),
    "grpc.health.v1.Health/Watch": ({}, OK),
}


def rest(address: str, line: str, model: str, version: str, **headers: str) -> int:
    """The status a route answers with."""
    method, path = line.split()
    body = REST[line][0]
    connection = http.client.HTTPConnection(address, timeout=30)
    path = path.format(model=model, version=version, region="r", repository="q")
    connection.request(method, path, json.dumps(body) if body else None, headers)
    response = connection.getresponse()
    response.read()
    connection.close()
    return response.status


def rpc(address: str, name: str, metadata: tuple[tuple[str, str], ...] = ()) -> grpc.StatusCode:
    """The status a call answers with."""
    service, method = name.split("/")
    (call,) = [each for each in messages.methods(service) if each.name == method]
    request = call.request(**RPC[name][0])
    kind = "_".join("stream" if each else "unary" for each in call.streams)
    with grpc.insecure_channel(address) as channel:
        start = getattr(channel, kind)(
            f"/{name}", call.request.SerializeToString, call.response.FromString
        )
        sent = iter([request]) if call.streams[0] else request
        try:
            answer = start(sent, timeout=30, metadata=metadata)
            if call.streams[1]:
                next(answer)
                answer.cancel()
        except grpc.RpcError as error:
            return error.code()
    return OK


def protocol_calls() -> list[str]:
    """The calls that the .proto files of others have."""
    files = (service_pb2.DESCRIPTOR, health_pb2.DESCRIPTOR)
    services = [each for file in files for each in file.services_by_name.values()]
    return [f"{each.full_name}/{call.name}" for each in services for call in each.methods]


def route_lines() -> list[str]:
    """Method and path of every route."""
    return [f"{method} {route.path}" for route in ROUTES for method in route.methods]


@pytest.mark.parametrize("line", sorted({*REST, *route_lines()}))
def test_every_route_answers_as_the_protocol_says(servers: Any, line: str) -> None:
    version = servers.service.find("classify").version

    assert rest(servers.rest, line, "classify", version) == REST[line][1]
    servers.service.hidden.clear()


@pytest.mark.parametrize("name", sorted({*RPC, *protocol_calls()}))
def test_every_call_answers_as_the_protocol_says(servers: Any, name: str) -> None:
    assert rpc(servers.grpc, name) is RPC[name][1]
    servers.service.hidden.clear()


def test_the_lists_are_those_of_the_tables() -> None:
    assert sorted(REST) == sorted(route_lines())
    assert sorted(RPC) == sorted(f"{each}/{call}" for each in SERVICES for call in SERVICES[each])


@pytest.fixture
def token(tmp_path: Path) -> Callable[[str], str]:
    """Creates a token with a scope, in the file tokens.json, and gives its header."""

    def make(scope: str) -> str:
        made = create(tmp_path / "tokens.json", scope, [scope], lifetime=timedelta(days=1))
        return f"Bearer {made.secret}"

    return make


def test_every_call_wants_its_scope_and_no_other(
    token: Callable[[str], str], run_servers: Callable[[Gate], Any], tmp_path: Path
) -> None:
    given = {scope: token(scope) for scope in ("predict", "models", "metrics")}
    given["expired"] = f"Bearer {_expired(tmp_path / 'tokens.json')}"
    servers = run_servers(Gate(tmp_path / "tokens.json"))
    refused = (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED)

    for name in RPC:
        scope = rpc_scope_of(*name.split("/"))
        codes = {None: rpc(servers.grpc, name), "bad": rpc(servers.grpc, name, _header("Bearer x"))}
        codes |= {each: rpc(servers.grpc, name, _header(value)) for each, value in given.items()}
        servers.service.hidden.clear()
        allowed = {each for each, code in codes.items() if code not in refused}
        assert allowed == (set(codes) if scope == "none" else {scope}), name


def test_a_callers_name_reaches_the_service(
    token: Callable[[str], str], run_servers: Callable[[Gate], Any], tmp_path: Path
) -> None:
    header = _header(token("predict"))
    servers = run_servers(Gate(tmp_path / "tokens.json"))

    for name in ("ModelInfer", "ModelStreamInfer"):
        assert rpc(servers.grpc, f"inference.GRPCInferenceService/{name}", header) is OK

    assert servers.service.callers == ["predict", "predict"]


def test_an_unknown_call_has_no_scope() -> None:
    assert rpc_scope_of("inference.GRPCInferenceService", "Nothing") is None
    assert rpc_scope_of("nobody.Service", "Check") is None
    assert scope_of("GET", "/v2/nothing") is None


def _expired(tokens: Path) -> str:
    """A token that allowed everything, once."""
    day = timedelta(days=1)
    return create(tokens, "old", SCOPES, lifetime=day, now=datetime.now(UTC) - 10 * day).secret


def _header(value: str) -> tuple[tuple[str, str], ...]:
    return (("authorization", value),)
