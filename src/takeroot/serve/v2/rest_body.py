"""Inference over REST: from a request's body to values, and from tensors to a response's body.

A body is JSON, then the raw data of the tensors that are not in the JSON, one after the other; the
header Inference-Header-Content-Length says how long the JSON is. A length of 0 makes the whole
body the one input's only text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from takeroot.serve.deadline import asked_s, deadline
from takeroot.serve.faults import ServeError
from takeroot.serve.settings import Settings
from takeroot.serve.v2.infer import Answered, Request, limit, texts
from takeroot.serve.v2.json_depth import is_deeper
from takeroot.serve.v2.signature import Wanted
from takeroot.serve.v2.tensors import flatten, invalid, rows, split

JSON_LENGTH = b"inference-header-content-length"
MAX_ID = 1024

Size = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Parameters = dict[str, Any]

_encode = msgspec.json.Encoder().encode


class _Input(msgspec.Struct):
    """An input tensor."""

    name: str
    datatype: str
    shape: list[Size]
    data: Any = msgspec.UNSET
    parameters: Parameters = {}


class _Output(msgspec.Struct):
    """An output that is asked for."""

    name: str
    parameters: Parameters = {}


class _Body(msgspec.Struct):
    """An inference request."""

    inputs: list[_Input]
    id: Annotated[str, msgspec.Meta(max_length=MAX_ID)] = ""
    outputs: list[_Output] = []
    parameters: Parameters = {}


_decoder = msgspec.json.Decoder(_Body)


class Call(msgspec.Struct):
    """A request, and how its response is to be written.

    Args:
        request: What is asked.
        id: Goes back to the client.
        binary: Whether outputs that do not say otherwise follow the JSON.
    """

    request: Request
    id: str
    binary: bool


def read(
    names: Mapping[str, str], headers: Mapping[bytes, bytes], body: bytes, settings: Settings
) -> Call:
    """What a body asks for.

    Args:
        names: ``model`` and perhaps ``version``, from the path.
        headers: By lower-case name.
        body: Not compressed any more.
        settings: The limits.

    Raises:
        ServeError: If it is not a request, or too large a one.
    """
    length = _json_length(headers, len(body))
    if length == 0 and JSON_LENGTH in headers:
        return _plain(names, headers, body)
    given = decoded(_decoder, body[:length], settings.max_json_depth)
    inputs = _inputs(given.inputs, body[length:], settings.max_inputs)
    request = Request(
        names["model"],
        names.get("version"),
        inputs,
        tuple(map(_wanted, given.outputs)),
        _deadline(headers, given.parameters),
        limit(given.parameters.get("max_tokens")),
    )
    return Call(request, given.id, _flag(given.parameters, "binary_data_output") is True)


def decoded(decoder: msgspec.json.Decoder[Any], data: bytes, depth: int) -> Any:
    """JSON as the values the decoder makes of it.

    Raises:
        ServeError: json_too_deep, or invalid_request.
    """
    if is_deeper(data, depth):
        raise ServeError("json_too_deep", limit=depth)
    try:
        return decoder.decode(data)
    except msgspec.ValidationError as error:
        raise invalid("the JSON lacks a field, or one is of a wrong type") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise invalid("the body is not JSON") from error


def write(answered: Answered, call: Call) -> tuple[bytes, int | None]:
    """The response's body, and how much of it is JSON if not all is."""
    outputs, raw = [], []
    for column in answered.columns:
        tensor: dict[str, Any] = {
            "name": column.name,
            "datatype": column.datatype,
            "shape": column.shape,
        }
        if call.binary if column.binary is None else column.binary:
            raw.append(column.raw())
            tensor["parameters"] = {"binary_data_size": len(raw[-1])}
        else:
            tensor["data"] = column.values
        outputs.append(tensor)
    head = {"id": call.id} if call.id else {}
    body = _encode(
        {
            **head,
            "model_name": answered.model,
            "model_version": answered.version,
            "outputs": outputs,
        }
    )
    return b"".join((body, *raw)), len(body) if raw else None


def _json_length(headers: Mapping[bytes, bytes], size: int) -> int:
    """How much of the body is JSON."""
    if JSON_LENGTH not in headers:
        return size
    value = headers[JSON_LENGTH].strip()
    if not value.isdigit() or len(value) > 12 or int(value) > size:
        raise invalid("Inference-Header-Content-Length is not the length of a part of the body")
    return int(value)


def _plain(names: Mapping[str, str], headers: Mapping[bytes, bytes], body: bytes) -> Call:
    """A body without JSON: one text, answered in binary."""
    inputs = {"text": texts([body])}
    request = Request(names["model"], names.get("version"), inputs, (), _deadline(headers, {}))
    return Call(request, "", True)


def _inputs(tensors: list[_Input], raw: bytes, most: int) -> dict[str, list[str]]:
    """The texts of each input, from JSON or from what follows it."""
    found: dict[str, list[str]] = {}
    place = 0
    for tensor in tensors:
        size = _binary_size(tensor)
        if tensor.datatype != "BYTES":
            raise invalid("every input of this model is of datatype BYTES")
        count = rows(tensor.shape, most)
        if size is None:
            values = flatten(tensor.data, tensor.shape, most)
            if not set(map(type, values)) <= {str}:
                raise invalid("a tensor's data is not of its datatype")
            found[tensor.name] = values
        else:
            end = place + size
            if end > len(raw):
                raise invalid("a tensor's binary_data_size is more than the data there is")
            found[tensor.name] = texts(split(raw[place:end], count))
            place = end
    if place != len(raw):
        raise invalid("there is more data than the inputs' binary_data_size says")
    if len(found) < len(tensors):
        raise invalid("an input is given twice")
    return found


def _binary_size(tensor: _Input) -> int | None:
    """Bytes of the tensor after the JSON; None if its data is in the JSON."""
    refuse_shared_memory(tensor.parameters)
    size = tensor.parameters.get("binary_data_size")
    if (size is None) is (tensor.data is msgspec.UNSET):
        raise invalid("an input needs either data or the parameter binary_data_size")
    if size is not None and (type(size) is not int or size < 0):
        raise invalid("binary_data_size must be a whole number, not negative")
    return size


def _wanted(output: _Output) -> Wanted:
    """An output as it is asked for."""
    parameters = output.parameters
    if not parameters:
        return Wanted(output.name)
    refuse_shared_memory(parameters)
    top = parameters.get("classification", 0)
    if type(top) is not int or top < 0:
        raise invalid("classification must be a whole number, not negative")
    return Wanted(output.name, top, _flag(parameters, "binary_data"))


def refuse_shared_memory(parameters: Any) -> None:
    """Refuse a tensor that lies in shared memory.

    Raises:
        ServeError: not_supported.
    """
    if "shared_memory_region" in parameters:
        raise ServeError("not_supported")


def _flag(parameters: Parameters, name: str) -> bool | None:
    """A parameter that is true or false; None where it is not given."""
    value = parameters.get(name)
    if value is not None and type(value) is not bool:
        raise invalid(f"{name} must be true or false")
    return value


def _deadline(headers: Mapping[bytes, bytes], parameters: Parameters) -> float | None:
    """When the answer must be there, by the header (ms) or the parameter timeout (microseconds)."""
    micros = parameters.get("timeout", 0)
    if type(micros) is not int or not 0 <= micros < 2**63:
        raise invalid("timeout must be whole microseconds, not negative")
    return deadline(asked_s(headers), micros / 1e6 or None)
