"""Requests as they go over the wire, and the file of them that the load generator reads."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

DATA, HEADERS = 0, 1  # frame types of HTTP/2
END_STREAM, END_HEADERS = 1, 4
MOST_HEADER = 126  # bytes of a name or value whose length fits one byte of HPACK
OUTPUTS = ("label", "confidence")  # asked for over gRPC: as much as an answer with top_k 1 holds


def http_request(path: str, body: Any, **headers: str) -> bytes:
    """A POST of a value in JSON."""
    data = json.dumps(body).encode()
    more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    head = (
        f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n{more}"
        f"content-type: application/json\r\ncontent-length: {len(data)}\r\n\r\n"
    )
    return head.encode() + data


def grpc_request(model: str, texts: Sequence[str]) -> bytes:
    """The frames of a ModelInfer call of the V2 protocol, on stream 0."""
    from takeroot.serve.v2.messages import INFERENCE, message
    from takeroot.serve.v2.tensors import join

    request = message("inference.ModelInferRequest")(model_name=model)
    request.inputs.add(name="text", datatype="BYTES", shape=[len(texts)])
    request.raw_input_contents.append(join([text.encode() for text in texts]))
    for name in OUTPUTS:
        request.outputs.add(name=name)
    body = request.SerializeToString()
    headers = {
        ":method": "POST",
        ":scheme": "http",
        ":path": f"/{INFERENCE}/ModelInfer",
        ":authority": "127.0.0.1",
        "content-type": "application/grpc",
        "te": "trailers",
    }
    block = b"".join(_header(*item) for item in headers.items())
    prefixed = struct.pack(">BI", 0, len(body)) + body  # 0: not compressed
    return _frame(HEADERS, END_HEADERS, block) + _frame(DATA, END_STREAM, prefixed)


def _header(name: str, value: str) -> bytes:
    """A header field that is not kept in a table (RFC 7541, section 6.2.2)."""
    assert max(len(name), len(value)) <= MOST_HEADER
    return bytes([0, len(name)]) + name.encode() + bytes([len(value)]) + value.encode()


def _frame(kind: int, flags: int, body: bytes) -> bytes:
    """A frame of HTTP/2 on stream 0."""
    return struct.pack(">I", len(body))[1:] + struct.pack(">BBI", kind, flags, 0) + body


def write_requests(path: Path, requests: Iterable[bytes]) -> Path:
    """The load generator's file of requests."""
    with path.open("wb") as file:
        for each in requests:
            file.write(struct.pack("<I", len(each)) + each)
    return path
