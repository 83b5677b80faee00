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

from takeroot.serve.faults import ServeError

MAX_DIMENSIONS = 8
_LENGTH = struct.Struct("<I")


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
