"""Find data outside the file in an ONNX model, without onnx and before onnxruntime sees it.

An ONNX tensor may name another file to read its values from; a loader that follows it reads any
file the author chose (CVE-2022-25882, CVE-2024-27318). Bundles never need that. This walks the
protocol-buffer fields through which a tensor can be reached (onnx.proto of ONNX IR version 13) and
refuses a tensor with ``external_data`` or ``data_location``; it keeps nothing in memory.
"""

from __future__ import annotations

from collections.abc import Iterator

from takeroot.errors import BundleError

# Message name -> field number -> name of the message in that field.
_CHILDREN: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}
_EXTERNAL = (13, 14)  # TensorProto.external_data and data_location
_MAX_DEPTH = 32  # graphs inside graphs; real models nest a handful


def check_self_contained(data: bytes, where: str = "model.onnx") -> None:
    """Refuse a model that is damaged or reads other files.

    Raises:
        BundleError: If it is.
    """
    try:
        _walk(memoryview(data), "model", where, 0)
    except (IndexError, ValueError) as error:
        raise BundleError(f"{where}: not an ONNX model: {error}") from error


def _walk(view: memoryview, message: str, where: str, depth: int) -> None:
    """Check one message and what it holds."""
    if depth > _MAX_DEPTH:
        raise BundleError(f"{where}: nested deeper than {_MAX_DEPTH} messages")
    for field, content in _fields(view):
        if message == "tensor" and field in _EXTERNAL:
            raise BundleError(f"{where}: a tensor has data outside the file, which is refused")
        child = _CHILDREN[message].get(field)
        if child is None:
            continue
        if content is None:
            raise ValueError(f"field {field} of {message} is not a message")
        _walk(content, child, where, depth + 1)


def _fields(view: memoryview) -> Iterator[tuple[int, memoryview | None]]:
    """Number and content of each field; None for numbers."""
    place = 0
    while place < len(view):
        key, place = _varint(view, place)
        field, wire = key >> 3, key & 7
        if wire == 0:
            _, place = _varint(view, place)
            yield field, None
            continue
        size = {1: 8, 5: 4}.get(wire, -1)
        if wire == 2:
            size, place = _varint(view, place)
        if size < 0 or place + size > len(view):
            raise ValueError(f"bad field {field} at byte {place}")
        yield field, view[place : place + size] if wire == 2 else None
        place += size


def _varint(view: memoryview, place: int) -> tuple[int, int]:
    """A number of up to ten bytes, and the place after it."""
    value = 0
    for shift in range(0, 70, 7):
        byte = view[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
    raise ValueError(f"number too long at byte {place}")
