"""Requests made to break the server: each is refused as the client's fault, with words of ours."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
from typing import Any

import grpc
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from takeroot.serve.v2.messages import INFERENCE, message

SECRET = "zq7-this-text-is-private"
INFER = "/v2/models/classify/infer"
Request = message("inference.ModelInferRequest")
Tensor = message("inference.ModelInferRequest.InferInputTensor")


def tensor(**values: Any) -> dict[str, Any]:
    """An input tensor, with something wrong."""
    plain = {"name": "text", "datatype": "BYTES", "shape": [1], "data": [SECRET]}
    return {key: value for key, value in {**plain, **values}.items() if value is not None}


def body(*inputs: Any, **values: Any) -> bytes:
    """A request in JSON."""
    return json.dumps({"inputs": list(inputs), **values}).encode()


def send(service: Any, data: bytes, path: str = INFER, **headers: Any) -> tuple[int, bytes]:
    """Status and body of what comes back."""
    named = {name.replace("_", "-").encode(): str(each).encode() for name, each in headers.items()}
    status, _, found = asyncio.run(service.respond("POST", path, named, data))
    return status, found


BAD_TENSORS = {
    "no name": tensor(name=None),
    "no shape": tensor(shape=None),
    "no data": tensor(data=None),
    "another name": tensor(name=SECRET),
    "an unknown datatype": tensor(datatype="TEXT"),
    "numbers": tensor(datatype="INT32", data=[1]),
    "numbers called bytes": tensor(data=[1]),
    "null": tensor(data=[None]),
    "a text and no list": tensor(data=SECRET),
    "an object": tensor(data={"a": SECRET}),
    "fewer than the shape": tensor(shape=[2]),
    "more than the shape": tensor(data=[SECRET, SECRET]),
    "no elements": tensor(shape=[0], data=[]),
    "a shape that is too large": tensor(shape=[2**60]),
    "a shape that overflows": tensor(shape=[2**32, 2**32]),
    "a shape larger than any number": tensor(shape=[2**70]),
    "a negative shape": tensor(shape=[-1]),
    "a shape of fractions": tensor(shape=[1.5]),
    "a shape of texts": tensor(shape=["1"]),
    "a shape that is empty": tensor(shape=[]),
    "a shape of too many dimensions": tensor(shape=[1] * 100),
    "two columns": tensor(shape=[1, 2], data=[SECRET, SECRET]),
    "ragged lists": tensor(shape=[2, 1], data=[[SECRET], [SECRET, SECRET]]),
    "lists too deep for the shape": tensor(data=[[[SECRET]]]),
    "data and binary data": tensor(parameters={"binary_data_size": 4}),
    "a binary size of text": tensor(data=None, parameters={"binary_data_size": "4"}),
    "a binary size below zero": tensor(data=None, parameters={"binary_data_size": -4}),
    "a binary size of true": tensor(data=None, parameters={"binary_data_size": True}),
    "a binary size beyond the data": tensor(data=None, parameters={"binary_data_size": 2**62}),
    "parameters of a wrong type": tensor(parameters=[1]),
}


@pytest.mark.parametrize("name", BAD_TENSORS)
def test_a_bad_tensor_is_refused_without_being_quoted(service: Any, name: str) -> None:
    status, found = send(service, body(BAD_TENSORS[name]))

    assert status == 400
    assert SECRET.encode() not in found
    assert list(json.loads(found)) == ["error"]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b'"text"',
        b"\xff\xfe",
        b'{"inputs": [',
        b'{"inputs": {}}',
        b'{"inputs": []}',
        b'{"inputs": [{"name": "\xff", "datatype": "BYTES", "shape": [1], "data": ["a"]}]}',
        b'{"inputs": [{"name": "text", "datatype": "BYTES", "shape": [1], "data": ["\\ud800"]}]}',
        body(tensor(), tensor()),
        body(tensor(), outputs=[{"name": "logits"}]),
        body(tensor(), outputs=[{"name": "label"}, {"name": "label"}]),
        body(tensor(), outputs=[{"name": "label", "parameters": {"classification": 2}}]),
        body(tensor(), outputs=[{"name": "probabilities", "parameters": {"classification": -1}}]),
        body(tensor(), outputs=[{"name": "probabilities", "parameters": {"classification": "a"}}]),
        body(tensor(), outputs=[{"name": "label", "parameters": {"binary_data": "yes"}}]),
        body(tensor(), parameters={"binary_data_output": 1}),
        body(tensor(), parameters={"timeout": -1}),
        body(tensor(), parameters={"timeout": "soon"}),
        body(tensor(), id=7),
        body(tensor(), id="x" * 2000),
        body(*[tensor(name=str(number)) for number in range(3000)]),
    ],
)
def test_a_bad_request_is_refused(service: Any, data: bytes) -> None:
    assert send(service, data)[0] == 400


@pytest.mark.parametrize("levels", [33, 999, 100_000])
@pytest.mark.parametrize("bracket", ["[]", '{"a":}'])
def test_json_that_is_too_deep_is_refused(service: Any, levels: int, bracket: str) -> None:
    opened, closed = bracket[:-1] * levels, bracket[-1] * levels
    inner = "1" if bracket != "[]" else ""
    data = b'{"inputs": [], "parameters": {"a": %b}}' % (opened + inner + closed).encode()

    status, found = send(service, data)

    assert (status, b"at most 32 levels" in found) == (400, True)


@pytest.mark.parametrize("length", ["-1", "x", "1e3", "99999", "9" * 40, "", "0x10", "١"])
def test_a_length_of_the_json_that_is_none_is_refused(service: Any, length: str) -> None:
    assert send(service, body(tensor()), inference_header_content_length=length)[0] == 400


@pytest.mark.parametrize(
    ("raw", "sizes"),
    [
        (b"", (4,)),
        (b"\1\0\0\0a", (4,)),
        (b"\1\0\0\0a", (6,)),
        (b"\1\0\0\0ab", (5,)),
        (b"\xff\xff\xff\x7fab", (6,)),
        (b"\2\0\0\0\xff\xfe", (6,)),
        (b"\0\0\0\0", (0,)),
    ],
)
def test_binary_data_that_does_not_add_up_is_refused(
    service: Any, raw: bytes, sizes: tuple[int, ...]
) -> None:
    inputs = [tensor(data=None, parameters={"binary_data_size": size}) for size in sizes]
    head = body(*inputs)

    assert send(service, head + raw, inference_header_content_length=len(head))[0] == 400


def test_text_that_is_no_utf8_is_refused(service: Any) -> None:
    data = base64.b64decode(b"/////w==")

    assert send(service, data, inference_header_content_length=0)[0] == 400


def test_a_body_that_grows_too_large_is_refused(service: Any) -> None:
    bomb = gzip.compress(b" " * (50 << 20))

    assert send(service, bomb, content_encoding="gzip")[0] == 413
    assert send(service, b" " * (3 << 20))[0] == 413


@pytest.mark.parametrize("time", ["-1", "soon", "1.5", "9" * 30, "0"])
def test_a_time_limit_that_is_none_is_refused(service: Any, time: str) -> None:
    assert send(service, body(tensor()), x_request_timeout_ms=time)[0] == 400


def test_too_many_texts_are_refused_with_the_limit(service: Any) -> None:
    status, found = send(service, body(tensor(shape=[257], data=["a"] * 257)))

    assert (status, b"at most 256" in found) == (400, True)


@pytest.mark.parametrize("path", ["/v2/repository/index", "/v2/repository/models/tag/load"])
@pytest.mark.parametrize("data", [b"[", b"[]", b'{"ready": 1}', b'{"parameters": []}', b"\xff"])
def test_a_bad_repository_request_is_refused(service: Any, path: str, data: bytes) -> None:
    assert send(service, data, path)[0] == 400


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)
NAMES = st.sampled_from(["name", "datatype", "shape", "data", "parameters", "binary_data_size"])


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    changed=st.dictionaries(NAMES, JSON, max_size=3),
    rest=st.dictionaries(
        st.sampled_from(["id", "outputs", "parameters", "inputs"]), JSON, max_size=2
    ),
)
def test_no_json_makes_the_server_fail(service: Any, changed: Any, rest: Any) -> None:
    values = {"inputs": [{**tensor(), **changed}], **rest}

    status, _ = send(service, json.dumps(values).encode())

    assert status in (200, 400)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=80), st.integers(0, 300))
def test_no_bytes_after_the_json_make_the_server_fail(service: Any, raw: bytes, size: int) -> None:
    inputs = [tensor(data=None, shape=[2], parameters={"binary_data_size": size})]
    head = msgspec.json.encode({"inputs": inputs})

    status, _ = send(service, head + raw, inference_header_content_length=len(head))

    assert status in (200, 400)


RAW = b"\4\0\0\0card"
PLAIN: dict[str, Any] = {"name": "text", "datatype": "BYTES", "shape": [1]}
BAD_MESSAGES = {
    "no input": Request(model_name="classify"),
    "no data": Request(model_name="classify", inputs=[Tensor(**PLAIN)]),
    "another name": Request(inputs=[Tensor(**{**PLAIN, "name": SECRET})], raw_input_contents=[RAW]),
    "numbers": Request(inputs=[Tensor(**{**PLAIN, "datatype": "FP32"})], raw_input_contents=[RAW]),
    "more data than inputs": Request(inputs=[Tensor(**PLAIN)], raw_input_contents=[RAW, RAW]),
    "inputs twice": Request(inputs=[Tensor(**PLAIN)] * 2, raw_input_contents=[RAW, RAW]),
    "raw and typed": Request(
        inputs=[Tensor(**PLAIN, contents={"bytes_contents": [b"a"]})], raw_input_contents=[RAW]
    ),
    "a damaged prefix": Request(inputs=[Tensor(**PLAIN)], raw_input_contents=[b"\xff\xff\xff\xff"]),
    "half a prefix": Request(inputs=[Tensor(**PLAIN)], raw_input_contents=[b"\1\0"]),
    "a shape that is too large": Request(
        inputs=[Tensor(**{**PLAIN, "shape": [2**60, 2**60]})], raw_input_contents=[RAW]
    ),
    "a negative shape": Request(
        inputs=[Tensor(**{**PLAIN, "shape": [-1]})], raw_input_contents=[RAW]
    ),
    "no shape": Request(inputs=[Tensor(name="text", datatype="BYTES")], raw_input_contents=[RAW]),
    "no utf-8": Request(inputs=[Tensor(**PLAIN)], raw_input_contents=[b"\1\0\0\0\xff"]),
    "an unknown output": Request(
        inputs=[Tensor(**PLAIN)], raw_input_contents=[RAW], outputs=[{"name": "logits"}]
    ),
    "a negative number of classes": Request(
        inputs=[Tensor(**PLAIN)],
        raw_input_contents=[RAW],
        outputs=[{"name": "probabilities", "parameters": {"classification": {"int64_param": -1}}}],
    ),
    "a negative time": Request(
        inputs=[Tensor(**PLAIN)],
        raw_input_contents=[RAW],
        parameters={"timeout": {"int64_param": -1}},
    ),
}


def rpc(servers: Any, data: bytes, call: str = "ModelInfer") -> grpc.RpcError | None:
    """The error that bytes are answered with."""
    with grpc.insecure_channel(servers.grpc) as channel:
        try:
            channel.unary_unary(f"/{INFERENCE}/{call}")(data, timeout=30)
        except grpc.RpcError as error:
            return error
    return None


@pytest.mark.parametrize("name", BAD_MESSAGES)
def test_a_bad_message_is_the_clients_fault_and_is_not_quoted(servers: Any, name: str) -> None:
    asked = Request.FromString(BAD_MESSAGES[name].SerializeToString())
    asked.model_name = "classify"

    error = rpc(servers, asked.SerializeToString())

    assert error is not None
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert SECRET not in error.details()


@pytest.mark.parametrize("call", ["ModelInfer", "ModelReady", "RepositoryIndex", "ModelConfig"])
def test_bytes_that_are_no_message_are_the_clients_fault(servers: Any, call: str) -> None:
    error = rpc(servers, b"\xff" * 20, call)

    assert error is not None
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_a_message_that_is_too_large_is_refused_with_the_limit(servers: Any) -> None:
    error = rpc(servers, Request(raw_input_contents=[bytes(3 << 20)]).SerializeToString())

    assert error is not None
    assert (error.code(), "2097152" in error.details()) == (grpc.StatusCode.INVALID_ARGUMENT, True)


def test_a_message_that_grows_too_large_is_refused(servers: Any) -> None:
    with (
        grpc.insecure_channel(
            servers.grpc,
            compression=grpc.Compression.Gzip,
            options=[("grpc.max_send_message_length", -1)],
        ) as channel,
        pytest.raises(grpc.RpcError) as caught,
    ):
        channel.unary_unary(f"/{INFERENCE}/ModelInfer")(bytes(200 << 20), timeout=60)

    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


@settings(max_examples=150)
@given(st.binary(max_size=60))
def test_no_bytes_make_a_call_fail(servers: Any, data: bytes) -> None:
    error = rpc(servers, data)

    assert error is None or error.code() in (
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.NOT_FOUND,
    )
