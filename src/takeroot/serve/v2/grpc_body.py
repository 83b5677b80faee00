"""Inference over gRPC: from a request message to values, and from tensors to a response's bytes.

What stays the same from one response to the next, names, types and shapes, is serialized once and
kept; a response is that, the request's id, and the tensors' data, one after the other. Protocol
buffers allow it: fields of one message may come in any order and in pieces.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from takeroot.serve.deadline import deadline
from takeroot.serve.faults import ServeError
from takeroot.serve.v2.infer import Answered, Request, limit, texts
from takeroot.serve.v2.messages import field_tag, message
from takeroot.serve.v2.signature import Wanted
from takeroot.serve.v2.tensors import invalid, rows, split

_SHARED_MEMORY = "shared_memory_region"

_Response = message("inference.ModelInferResponse")
_ID = field_tag("inference.ModelInferResponse", "id")
_RAW = field_tag("inference.ModelInferResponse", "raw_output_contents")
_INNER = field_tag("inference.ModelStreamInferResponse", "infer_response")
_StreamResponse = message("inference.ModelStreamInferResponse")


def _last() -> bytes:
    """What tells a streaming client that an answer is its request's only one."""
    mark = _Response()
    mark.parameters["triton_final_response"].bool_param = True
    return bytes(mark.SerializeToString())


_LAST = _last()


def read(request: Any, most: int, remaining_s: float | None) -> Request:
    """What a ``ModelInferRequest`` asks for.

    Args:
        request: The message.
        most: Most texts it may hold.
        remaining_s: Until the call's own deadline.

    Raises:
        ServeError: If it is not a request this server answers.
    """
    timeout_s = None
    if "timeout" in request.parameters:
        micros = request.parameters["timeout"].int64_param
        if micros < 0:
            raise invalid("the parameter timeout must not be negative")
        timeout_s = micros / 1e6 or None
    return Request(
        request.model_name,
        request.model_version or None,
        _inputs(request, most),
        tuple(map(_wanted, request.outputs)),
        deadline(remaining_s, timeout_s),
        limit(_parameter(request, "max_tokens", "int64_param")),
        _parameter(request, "stream", "bool_param") is True,
    )


def _parameter(request: Any, name: str, kind: str) -> Any:
    """A parameter of the request; None where it is not given."""
    return getattr(request.parameters[name], kind) if name in request.parameters else None


def write(answered: Answered, request_id: str) -> bytes:
    """The bytes of a ``ModelInferResponse``."""
    columns = answered.columns
    kinds = tuple((each.name, each.datatype, each.shape) for each in columns)
    parts = [_head(answered.model, answered.version, kinds)]
    if request_id:
        parts += _field(_ID, request_id.encode())
    for column in columns:
        parts += _field(_RAW, column.raw())
    return b"".join(parts)


def write_streamed(answered: Answered, request_id: str, *, last: bool = True) -> bytes:
    """The bytes of a ``ModelStreamInferResponse`` with an answer, or a piece of one."""
    return b"".join(_field(_INNER, write(answered, request_id) + (_LAST if last else b"")))


def write_refused(reason: str, request_id: str) -> bytes:
    """The bytes of a ``ModelStreamInferResponse`` with an error, and the request it is about."""
    response = _StreamResponse(error_message=reason)
    response.infer_response.id = request_id
    return bytes(response.SerializeToString())


@lru_cache(maxsize=512)
def _head(model: str, version: str, kinds: tuple[tuple[str, str, tuple[int, ...]], ...]) -> bytes:
    """All of a response but its id and data."""
    response = _Response(model_name=model, model_version=version)
    for name, datatype, shape in kinds:
        response.outputs.add(name=name, datatype=datatype, shape=shape)
    return bytes(response.SerializeToString())


def _field(tag: bytes, data: bytes) -> tuple[bytes, bytes, bytes]:
    """A length-delimited field."""
    return tag, _varint(len(data)), data


def _varint(number: int) -> bytes:
    """A whole number, seven bits a byte, the lowest first."""
    if number < 0x80:
        return bytes((number,))
    digits = bytearray()
    while number >= 0x80:
        digits.append(number & 0x7F | 0x80)
        number >>= 7
    digits.append(number)
    return bytes(digits)


def _inputs(request: Any, most: int) -> dict[str, list[str]]:
    """The texts of each input, from raw contents or typed ones."""
    tensors, raw = request.inputs, request.raw_input_contents
    if not raw:
        found = {each.name: texts(_typed(each, most)) for each in tensors}
    elif len(raw) == len(tensors):
        pairs = zip(tensors, raw, strict=True)
        found = {each.name: texts(_raw(each, data, most)) for each, data in pairs}
    else:
        raise invalid("raw_input_contents must be given for every input or for none")
    if len(found) < len(tensors):
        raise invalid("an input is given twice")
    return found


def _raw(tensor: Any, data: bytes, most: int) -> list[bytes]:
    """The elements of a tensor whose data is beside it."""
    count = _rows(tensor, most)
    if tensor.HasField("contents"):
        raise invalid("contents must not be given beside raw_input_contents")
    return split(data, count)


def _typed(tensor: Any, most: int) -> list[bytes]:
    """The elements of a tensor whose data is in it."""
    count = _rows(tensor, most)
    values = list(tensor.contents.bytes_contents)
    if len(values) != count:
        raise invalid("a tensor's contents are not those of its shape and datatype")
    return values


def _rows(tensor: Any, most: int) -> int:
    """How many texts an input holds."""
    if tensor.parameters and _SHARED_MEMORY in tensor.parameters:
        raise ServeError("not_supported")
    if tensor.datatype != "BYTES":
        raise invalid("every input of this model is of datatype BYTES")
    return rows(tensor.shape, most)


def _wanted(output: Any) -> Wanted:
    """An output as it is asked for."""
    if not output.parameters:
        return Wanted(output.name)
    if _SHARED_MEMORY in output.parameters:
        raise ServeError("not_supported")
    top = 0
    if "classification" in output.parameters:
        top = output.parameters["classification"].int64_param
    if top < 0:
        raise invalid("classification must not be negative")
    return Wanted(output.name, top)
