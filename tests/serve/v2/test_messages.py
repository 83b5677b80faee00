"""The messages, against those that the client and grpcio's health check bring along."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf import descriptor_pb2
from grpc_health.v1 import health_pb2
from tritonclient.grpc import model_config_pb2, service_pb2

from takeroot.serve.v2.messages import FILES, INFERENCE, POOL, field_tag, message, methods

THEIRS = {
    "inference.proto": service_pb2.DESCRIPTOR,
    "model_config.proto": model_config_pb2.DESCRIPTOR,
    "health.proto": health_pb2.DESCRIPTOR,
}
WHOLE = ("inference.proto", "health.proto")  # of model_config.proto we declare what we send


def described(file: Any) -> dict[str, Any]:
    """Every message, enum value and call of a file, in words."""
    proto = descriptor_pb2.FileDescriptorProto()
    file.CopyToProto(proto)
    found: dict[str, Any] = {}
    for each in proto.message_type:
        _message(each, proto.package, found)
    for each in proto.enum_type:
        _enum(each, proto.package, found)
    for service in proto.service:
        for call in service.method:
            streams = (call.client_streaming, call.server_streaming)
            name = f"{proto.package}.{service.name}.{call.name}"
            found[name] = (call.input_type, call.output_type, streams)
    return found


def _message(proto: Any, scope: str, found: dict[str, Any]) -> None:
    name = f"{scope}.{proto.name}"
    found[name] = proto.options.map_entry
    oneofs = [each.name for each in proto.oneof_decl]
    for each in proto.field:
        oneof = oneofs[each.oneof_index] if each.HasField("oneof_index") else None
        about = (each.number, each.type, each.label, each.type_name, oneof)
        found[f"{name}.{each.name}"] = about
    for each in proto.nested_type:
        _message(each, name, found)
    for each in proto.enum_type:
        _enum(each, name, found)


def _enum(proto: Any, scope: str, found: dict[str, Any]) -> None:
    for each in proto.value:
        found[f"{scope}.{proto.name}.{each.name}"] = each.number


@pytest.mark.parametrize("name", FILES)
def test_what_we_declare_is_what_they_declare(name: str) -> None:
    ours, theirs = described(POOL.FindFileByName(name)), described(THEIRS[name])

    assert {key: theirs.get(key) for key in ours} == ours


@pytest.mark.parametrize("name", WHOLE)
def test_we_declare_all_they_declare(name: str) -> None:
    assert set(described(THEIRS[name])) <= set(described(POOL.FindFileByName(name)))


def test_ours_and_theirs_are_different_classes_that_read_each_other() -> None:
    ours = message("inference.ModelInferRequest")(model_name="shop", raw_input_contents=[b"a"])

    theirs = service_pb2.ModelInferRequest.FromString(ours.SerializeToString())

    assert type(ours) is not type(theirs)
    assert (theirs.model_name, theirs.raw_input_contents[:]) == ("shop", [b"a"])


def test_only_one_call_of_inference_streams() -> None:
    streaming = [each.name for each in methods(INFERENCE) if any(each.streams)]

    assert streaming == ["ModelStreamInfer"]


def test_a_field_begins_with_its_tag() -> None:
    response = message("inference.ModelInferResponse")(raw_output_contents=[b"abc"])
    tag = field_tag("inference.ModelInferResponse", "raw_output_contents")

    assert response.SerializeToString() == tag + b"\3abc"
