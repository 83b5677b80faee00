"""The bytes of requests, and the smallest bundles."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
from safetensors.numpy import save

from takeroot.bundle import BundleWriter, Spec
from takeroot.bundle.features import NgramFeatures
from takeroot.serve.v2.messages import message

TEXTS = (
    "where is my parcel, it should have come last week",
    "i want my money back",
    "my login does not work since i changed the phone",
    "please refund my order, it came broken",
)
LABELS = ("delivery", "refund", "account")

InferRequest = message("inference.ModelInferRequest")


def http_request(model: str, texts: list[str], **headers: str) -> bytes:
    """A predict request as it goes over the wire."""
    body = json.dumps({"inputs": texts, "options": {"top_k": 1}}).encode()
    more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    head = (
        f"POST /v1/models/{model}/predict HTTP/1.1\r\nhost: localhost\r\n{more}"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def grpc_request(model: str, texts: list[str]) -> bytes:
    """A ModelInferRequest."""
    raw = b"".join(struct.pack("<I", len(text.encode())) + text.encode() for text in texts)
    tensor = {"name": "text", "datatype": "BYTES", "shape": [len(texts)]}
    request = InferRequest(model_name=model, inputs=[tensor], raw_input_contents=[raw])
    return bytes(request.SerializeToString())


def tiny_bundle(folder: Path, mark: str = "", created: str = "2025-01-01T00:00:00Z") -> Path:
    """A linear model named ``tiny``; every label ends with ``mark``."""
    features = NgramFeatures.fit(list(TEXTS), 500)
    rng = np.random.default_rng(0)
    arrays = {
        "coef": rng.normal(size=(len(features.idf), len(LABELS))).astype(np.float16),
        "intercept": np.zeros(len(LABELS), np.float32),
        "idf": features.idf,
    }
    values = {"name": "tiny", "task": "classify", "labels": [each + mark for each in LABELS]}
    with BundleWriter(folder, created=created) as writer:
        writer.write_spec(Spec.model_validate_json(json.dumps(values | {"runtime": "linear"})))
        writer.write_json("features.json", features.to_json())
        writer.write_bytes("linear.safetensors", save(arrays))
    return folder
