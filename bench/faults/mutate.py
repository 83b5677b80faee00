"""Requests that no client would send: valid ones with something changed, and bytes."""

from __future__ import annotations

import gzip
import json
import zlib
from random import Random
from typing import Any

from takeroot.serve.v2.messages import INFERENCE, Method, methods

ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 1.5, -0.0, 2**31, 2**63, 2**64, -(2**63), 10**40, 1e308),
    *(float("nan"), float("inf"), "", " ", "\x00", "\ud800", "\U0010ffff", "é" * 300, "a" * 70_000),
    *("../../etc/passwd", "{limit}", "%s%n", "' or 1=1", "http://169.254.169.254/", "null", "-1"),
    *(
        [],
        {},
        [[]],
        [None],
        [[1, [2]]],
        {"a": {"b": []}},
        ["a", "b", "c"],
        [["a", "b"]],
        ["a"] * 300,
    ),
)
HEADERS = (
    "content-type",
    "content-length",
    "content-encoding",
    "transfer-encoding",
    "x-request-timeout-ms",
    "x-request-id",
    "inference-header-content-length",
    "accept-encoding",
    "authorization",
    "host",
    "origin",
    "expect",
    "connection",
    "upgrade",
    "cookie",
)
VALUES = (
    *("", "0", "-1", "1", "50", "99999999999999999999", "application/json", "text/plain", "gzip"),
    *(
        "deflate",
        "br",
        "identity",
        "chunked",
        "gzip, chunked",
        "100-continue",
        "close",
        "keep-alive",
    ),
    *(
        "h2c",
        "websocket",
        "Bearer x",
        "Bearer " + "a" * 9_000,
        "evil.example",
        "localhost:1",
        "null",
    ),
    *(
        "application/octet-stream",
        "*;q=0",
        "gzip;q=x",
        "\xff\xfe",
        "a" * 20_000,
        "1e3",
        "+5",
        "0x10",
    ),
)
PATHS = (
    "/v1/models",
    "/v1/models/{model}",
    "/v1/models/{model}/predict",
    "/v1/models/{model}/versions/1/predict",
    "/v1/usage",
    "/metrics",
    "/readyz",
    "/",
    "/page/page.js",
    "/docs",
    "/openapi.json",
    "/v2",
    "/v2/health/ready",
    "/v2/models/stats",
    "/v2/models/{model}",
    "/v2/models/{model}/infer",
    "/v2/models/{model}/config",
    "/v2/models/{model}/ready",
    "/v2/models/{model}/generate",
    "/v2/models/{model}/versions/x/infer",
    "/v2/repository/index",
    "/v2/repository/models/{model}/load",
    "/v2/systemsharedmemory/status",
    "/v2/trace/setting",
    "/v3",
    "//",
    "/v1/models/%2e%2e/predict",
    "/v1/models/\xff/predict",
    "/v1//models",
)
VERBS = ("GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT", "FOO", "")


def changed(rng: Random, value: Any) -> Any:
    """A JSON value with something in it replaced, removed, added or repeated."""
    if rng.random() < 0.15:
        return rng.choice(ODD)
    if isinstance(value, dict) and value:
        return _changed_object(rng, value)
    if isinstance(value, list) and value:
        return _changed_list(rng, value)
    return rng.choice(ODD)


def _changed_object(rng: Random, value: dict[str, Any]) -> dict[str, Any]:
    """An object with a key less, a key more, or another value."""
    key, kind = rng.choice(list(value)), rng.random()
    if kind < 0.15:
        return {name: each for name, each in value.items() if name != key}
    if kind < 0.3:
        return value | {rng.choice(["", "text", "a" * 50, key.upper()]): rng.choice(ODD)}
    return value | {key: changed(rng, value[key])}


def _changed_list(rng: Random, value: list[Any]) -> list[Any]:
    """A list with an element less, many more, or another one."""
    place, kind = rng.randrange(len(value)), rng.random()
    if kind < 0.15:
        return value[:place] + value[place + 1 :]
    if kind < 0.3:
        return value * rng.choice([2, 300])
    return [*value[:place], changed(rng, value[place]), *value[place + 1 :]]


def native(rng: Random) -> Any:
    """A body of the native API."""
    options = {"top_k": 2, "probabilities": True}
    value = {"inputs": ["where is it", "refund me"], "options": options}
    return _several(rng, value)


def protocol(rng: Random) -> Any:
    """A body of V2."""
    tensor = {"name": "text", "datatype": "BYTES", "shape": [2], "data": ["where", "why"]}
    output = {"name": "probabilities", "parameters": {"classification": 2, "binary_data": True}}
    value = {
        "id": "one",
        "inputs": [
            tensor | {"parameters": {"binary_data_size": 9}} if rng.random() < 0.3 else tensor
        ],
        "outputs": [output, {"name": "label"}],
        "parameters": {"timeout": 1_000_000, "binary_data_output": True},
    }
    return _several(rng, value)


def _several(rng: Random, value: Any) -> Any:
    """Changed up to three times."""
    for _ in range(rng.choice([0, 1, 1, 1, 2, 3])):
        value = changed(rng, value)
    return value


def body(rng: Random, value: Any) -> tuple[bytes, dict[str, str]]:
    """A value as it goes over the wire, sometimes packed or damaged; its headers."""
    data = json.dumps(value, ensure_ascii=rng.random() < 0.5).encode("utf-8", "surrogatepass")
    headers = {"content-type": "application/json"}
    kind = rng.random()
    if kind < 0.1:
        data = mangled(rng, data)
    elif kind < 0.2:
        pack, headers["content-encoding"] = rng.choice(
            [(gzip.compress, "gzip"), (zlib.compress, "deflate")]
        )
        data = pack(data)
        if rng.random() < 0.3:
            data = mangled(rng, data)
    elif kind < 0.23:
        data = b"[" * rng.choice([40, 5_000, 200_000])
    elif kind < 0.25:
        data, headers["content-encoding"] = gzip.compress(bytes(5 << 20)), "gzip"
    if rng.random() < 0.2:
        name = rng.choice(HEADERS)
        headers[name] = rng.choice(VALUES)
    return data, headers


def http(rng: Random, model: str, value: Any, path: str) -> bytes:
    """A whole HTTP request."""
    data, headers = body(rng, value)
    named = {"host": "localhost", "content-length": str(len(data))} | headers
    lines = [f"POST {path.format(model=model)} HTTP/1.1", *(f"{k}: {v}" for k, v in named.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace") + data


def raw_http(rng: Random, model: str) -> bytes:
    """Bytes that begin as HTTP does, more or less."""
    path = rng.choice(PATHS).format(model=model)
    named = {rng.choice(HEADERS): rng.choice(VALUES) for _ in range(rng.randrange(4))}
    data = json.dumps(native(rng)).encode()
    if rng.random() < 0.7:
        named |= {"host": "localhost", "content-length": str(len(data))}
    verb, version = (
        rng.choice(VERBS + ("POST",) * 12 + ("GET",) * 8),
        rng.choice(["1.1"] * 12 + ["1.0", "2.0", ""]),
    )
    lines = [f"{verb} {path} HTTP/{version}", *(f"{k}: {v}" for k, v in named.items())]
    whole = rng.choice(["\r\n"] * 12 + ["\n"]).join([*lines, "", ""]).encode("latin-1") + data
    return mangled(rng, whole) if rng.random() < 0.25 else whole


def mangled(rng: Random, data: bytes) -> bytes:
    """Bytes with some flipped, cut, doubled, or put in."""
    found = bytearray(data or b"x")
    for _ in range(rng.choice([1, 1, 2, 8])):
        place = rng.randrange(len(found))
        kind = rng.randrange(5)
        if kind == 0:
            found[place] = rng.randrange(256)
        elif kind == 1:
            del found[place : place + rng.randrange(1, 20)]
        elif kind == 2:
            found[place:place] = rng.randbytes(rng.randrange(1, 20))
        elif kind == 3:
            found[place:place] = found[place : place + 30]
        else:
            del found[place:]
        found = found or bytearray(b"x")
    return bytes(found)


CALLS = [each for each in methods(INFERENCE) if each.name != "RepositoryModelUnload"]


def message(rng: Random, method: Method, model: str) -> bytes:
    """A request of a call, its fields filled at random, or damaged."""
    request = method.request()
    _fill(rng, request, 0)
    if method.name in ("ModelInfer", "ModelStreamInfer") and rng.random() < 0.6:
        _sensible(rng, request)
    for name in ("name", "model_name"):
        if name in request.DESCRIPTOR.fields_by_name and rng.random() < 0.8:
            setattr(request, name, model)
    data: bytes = request.SerializeToString()
    return mangled(rng, data) if rng.random() < 0.2 else data


def _sensible(rng: Random, request: Any) -> None:
    """Tensors that are nearly right."""
    request.model_version = ""
    del request.inputs[:], request.outputs[:], request.raw_input_contents[:]
    request.inputs.add(
        name="text", datatype="BYTES", shape=[rng.choice([1, 1, 1, 0, -1, 2, 2**40])]
    )
    request.raw_input_contents.append(
        rng.choice([b"\4\0\0\0card", b"", b"\xff\xff\xff\xff", b"\0\0\0\0"])
    )
    if rng.random() < 0.3:
        request.outputs.add(name=rng.choice(["label", "probabilities", "logits", ""]))


def _fill(rng: Random, request: Any, depth: int) -> None:
    """Set some fields to anything of their type."""
    for field in request.DESCRIPTOR.fields:
        if rng.random() < 0.5 or depth > 3:
            continue
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            entry = getattr(request, field.name)
            key = rng.choice(["timeout", "shared_memory_region", "binary_data_size", "x", ""])
            if field.message_type.fields_by_name["value"].message_type is not None:
                _fill(rng, entry[key], depth + 1)
            continue
        if field.message_type is not None:
            several = field.is_repeated
            inner = getattr(request, field.name)
            for _ in range(rng.randrange(3) if several else 1):
                _fill(rng, inner.add() if several else inner, depth + 1)
            continue
        _set(rng, request, field)


def _set(rng: Random, request: Any, field: Any) -> None:
    """Set a plain field to one of its type's odd values, where it takes it."""
    kinds: dict[int, tuple[Any, ...]] = {
        field.CPPTYPE_STRING: ("", "text", "BYTES", "classify", "\x00", "a" * 5_000, "é"),
        field.CPPTYPE_BOOL: (True, False),
        field.CPPTYPE_DOUBLE: (0.0, float("nan"), float("-inf"), 1e300),
        field.CPPTYPE_FLOAT: (0.0, float("nan"), 1e30),
    }
    value = rng.choice(kinds.get(field.cpp_type, (0, 1, 2, 255, 2**31 - 1)))
    if field.type == field.TYPE_BYTES:
        value = rng.randbytes(rng.choice([0, 1, 4, 9, 4_000]))
    if field.is_repeated:
        getattr(request, field.name).extend([value] * rng.randrange(4))
    else:
        setattr(request, field.name, value)
