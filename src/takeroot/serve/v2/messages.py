"""Message classes of the V2 protocol and of gRPC's health check.

They live in a descriptor pool of their own: protobuf allows each message name once a pool, and a
client of the protocol in the same process, such as tritonclient, registers the same names in the
default one.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from google.protobuf import descriptor_pool, message_factory

from takeroot.serve.v2.protofile import parse

FILES = ("model_config.proto", "inference.proto", "health.proto")  # each after those it imports
INFERENCE = "inference.GRPCInferenceService"
HEALTH = "grpc.health.v1.Health"


@dataclass(frozen=True)
class Method:
    """A call of a service.

    Args:
        name: Its name.
        request: Class of the request.
        response: Class of the response.
        streams: Whether requests, and whether responses, come as a stream.
    """

    name: str
    request: Any
    response: Any
    streams: tuple[bool, bool]


def _pool() -> descriptor_pool.DescriptorPool:
    """The pool with all our files."""
    pool = descriptor_pool.DescriptorPool()
    for name in FILES:
        text = files(__package__).joinpath(name).read_text(encoding="utf-8")
        pool.AddSerializedFile(parse(text, name).SerializeToString())
    return pool


POOL = _pool()


def message(name: str) -> Any:
    """The class of a message, by its full name."""
    return message_factory.GetMessageClass(POOL.FindMessageTypeByName(name))


def methods(service: str) -> tuple[Method, ...]:
    """The calls of a service, by its full name."""
    return tuple(
        Method(
            each.name,
            message_factory.GetMessageClass(each.input_type),
            message_factory.GetMessageClass(each.output_type),
            (each.client_streaming, each.server_streaming),
        )
        for each in POOL.FindServiceByName(service).methods
    )


def field_tag(name: str, field: str) -> bytes:
    """What a length-delimited field of a message begins with on the wire."""
    number = POOL.FindMessageTypeByName(name).fields_by_name[field].number
    return bytes([number << 3 | 2])  # one byte for numbers up to 15
