"""Tensors of the V2 protocol, between numpy arrays and their three forms on the wire.

Raw: elements in row-major order, little-endian; BYTES elements each with a 4-byte length before
them. JSON: the elements in one list, or lists nested as the shape says. Contents: the typed lists
of ``InferTensorContents``. BF16, which numpy lacks, is float32 here. Sizes are compared with the
shape before anything is allocated.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np

from takeroot.serve.faults import ServeError

MAX_DIMENSIONS = 8
_LENGTH = struct.Struct("<I")

DTYPES: dict[str, np.dtype[Any]] = {
    "BOOL": np.dtype(np.bool_),
    "UINT8": np.dtype("<u1"),
    "UINT16": np.dtype("<u2"),
    "UINT32": np.dtype("<u4"),
    "UINT64": np.dtype("<u8"),
    "INT8": np.dtype("<i1"),
    "INT16": np.dtype("<i2"),
    "INT32": np.dtype("<i4"),
    "INT64": np.dtype("<i8"),
    "FP16": np.dtype("<f2"),
    "BF16": np.dtype("<f4"),
    "FP32": np.dtype("<f4"),
    "FP64": np.dtype("<f8"),
    "BYTES": np.dtype(object),
}
_CONTENTS = {  # FP16 and BF16 travel raw only
    "BOOL": "bool_contents",
    "INT8": "int_contents",
    "INT16": "int_contents",
    "INT32": "int_contents",
    "INT64": "int64_contents",
    "UINT8": "uint_contents",
    "UINT16": "uint_contents",
    "UINT32": "uint_contents",
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}
_JSON_TYPES: dict[str, set[type]] = {"b": {bool}, "f": {int, float}, "O": {str}}


def invalid(reason: str) -> ServeError:
    """The refusal of a request.

    Args:
        reason: A sentence of ours; it never quotes what the client sent.
    """
    return ServeError("invalid_request", reason=reason)


def elements(shape: Sequence[int], most: int) -> int:
    """How many elements a tensor has, at most ``most``.

    Raises:
        ServeError: invalid_request for a shape that is none, too_many_inputs beyond ``most``.
    """
    if len(shape) == 1 and 0 <= shape[0] <= most:
        return shape[0]
    if not 1 <= len(shape) <= MAX_DIMENSIONS or min(shape) < 0:
        raise invalid(f"a shape has 1 to {MAX_DIMENSIONS} dimensions, none of them negative")
    count = 0 if 0 in shape else 1
    for size in shape:
        count *= size
        if count > most:
            raise ServeError("too_many_inputs", limit=most)
    return count


def rows(shape: Sequence[int], most: int) -> int:
    """How many texts a tensor of shape [n] or [n, 1] holds, at most ``most``.

    Raises:
        ServeError: invalid_request for another shape, too_many_inputs beyond ``most``.
    """
    count = elements(shape, most)
    if len(shape) > 2 or (len(shape) == 2 and shape[1] != 1):
        raise invalid("an input's shape must be [n] or [n, 1]")
    return count


def split(raw: bytes, count: int) -> list[bytes]:
    """The ``count`` elements of a raw BYTES tensor.

    Raises:
        ServeError: invalid_request if their lengths do not add up to what there is.
    """
    size = len(raw)
    if count == 1 and size >= 4 and _LENGTH.unpack_from(raw)[0] == size - 4:
        return [raw[4:]]
    if 4 * count > size:
        raise invalid("a BYTES tensor holds fewer elements than its shape says")
    parts, place = [], 0
    for _ in range(count):
        start = place + 4
        place = start + _LENGTH.unpack_from(raw, place)[0] if start <= size else size + 1
        if place > size:
            raise invalid("an element of a BYTES tensor is longer than the data there is")
        parts.append(raw[start:place])
    if place != size:
        raise invalid("a BYTES tensor holds more data than its shape says")
    return parts


def join(values: Sequence[bytes]) -> bytes:
    """The raw BYTES tensor of these elements."""
    if len(values) == 1:
        return _LENGTH.pack(len(values[0])) + values[0]
    lengths = map(_LENGTH.pack, map(len, values))
    return b"".join(chain.from_iterable(zip(lengths, values, strict=True)))


def from_raw(datatype: str, shape: Sequence[int], raw: bytes, most: int) -> np.ndarray:
    """The array of a raw tensor; BYTES gives an array of bytes objects.

    Raises:
        ServeError: If type, shape and data do not fit, or there are more than ``most`` elements.
    """
    count = elements(shape, most)
    dtype = _dtype(datatype)
    if datatype == "BYTES":
        return _objects(split(raw, count), shape)
    half = datatype == "BF16"
    if len(raw) != count * (2 if half else dtype.itemsize):
        raise invalid("the size of a tensor's data is not that of its shape and datatype")
    if half:
        wide = np.frombuffer(raw, "<u2").astype("<u4") << 16
        return wide.view(dtype).reshape(shape)
    if datatype == "BOOL" and raw.strip(b"\0\1"):
        raise invalid("a BOOL tensor's bytes must be 0 or 1")
    return np.frombuffer(raw, dtype).reshape(shape)


def to_raw(datatype: str, array: np.ndarray) -> bytes:
    """The raw form of an array; BF16 cuts float32 to its upper half."""
    if datatype == "BYTES":
        return join(array.ravel().tolist())
    plain = np.ascontiguousarray(array, DTYPES[datatype])
    if datatype == "BF16":
        return (plain.view("<u4") >> 16).astype("<u2").tobytes()
    return plain.tobytes()


def from_json(datatype: str, shape: Sequence[int], data: object, most: int) -> np.ndarray:
    """The array of a JSON tensor; BYTES gives an array of str.

    Raises:
        ServeError: If type, shape and data do not fit, or there are more than ``most`` elements.
    """
    dtype = _dtype(datatype)
    if datatype in ("FP16", "BF16"):
        raise invalid("FP16 and BF16 tensors cannot be given as JSON, only as binary data")
    flat = flatten(data, shape, most)
    if not set(map(type, flat)) <= _JSON_TYPES.get(dtype.kind, {int}):
        raise invalid("a tensor's data is not of its datatype")
    if datatype == "BYTES":
        return _objects(flat, shape)
    return _numbers(flat, dtype).reshape(shape)


def to_json(array: np.ndarray) -> list[Any]:
    """The elements of an array in one list; bytes objects as text.

    Raises:
        UnicodeDecodeError: If bytes are no UTF-8.
    """
    flat: list[Any] = array.ravel().tolist()
    return [each.decode() if isinstance(each, bytes) else each for each in flat]


def from_contents(datatype: str, shape: Sequence[int], contents: Any, most: int) -> np.ndarray:
    """The array of an ``InferTensorContents``; BYTES gives an array of bytes objects.

    Raises:
        ServeError: If type, shape and data do not fit, or there are more than ``most`` elements.
    """
    count = elements(shape, most)
    dtype = _dtype(datatype)
    if datatype not in _CONTENTS:
        raise invalid("FP16 and BF16 tensors cannot be given as contents, only as raw contents")
    values = getattr(contents, _CONTENTS[datatype])
    if len(values) != count or sum(len(each[1]) for each in contents.ListFields()) != count:
        raise invalid("a tensor's contents are not those of its shape and datatype")
    if datatype == "BYTES":
        return _objects(list(values), shape)
    return _numbers(list(values), dtype).reshape(shape)


def flatten(data: object, shape: Sequence[int], most: int) -> list[Any]:
    """The elements of JSON data: one list, or lists nested as the shape says.

    Raises:
        ServeError: If they are not as many as the shape says.
    """
    count = elements(shape, most)
    if not isinstance(data, list):
        raise invalid("a tensor's data must be a list")
    if len(shape) > 1 and len(data) == shape[0]:
        for size in shape[1:]:
            if not data or not isinstance(data[0], list):
                break
            if any(not isinstance(each, list) or len(each) != size for each in data):
                raise invalid("a tensor's lists are not nested as its shape says")
            data = list(chain.from_iterable(data))
    if len(data) != count:
        raise invalid("a tensor's data holds another number of elements than its shape says")
    return data


def _dtype(datatype: str) -> np.dtype[Any]:
    """Of a V2 datatype."""
    if datatype not in DTYPES:
        raise invalid("an unknown datatype")
    return DTYPES[datatype]


def _objects(values: Sequence[object], shape: Sequence[int]) -> np.ndarray:
    """An array of objects, also where they are sequences."""
    array = np.empty(len(values), object)
    array[:] = values
    return array.reshape(shape)


def _numbers(values: Sequence[Any], dtype: np.dtype[Any]) -> np.ndarray:
    """An array of numbers that all fit the type."""
    try:
        with np.errstate(over="raise"):
            return np.array(values, dtype)
    except (OverflowError, FloatingPointError) as error:
        raise invalid("a number does not fit a tensor's datatype") from error
