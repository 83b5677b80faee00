"""The bytes of requests, and the smallest bundles."""

from __future__ import annotations

import json
from pathlib import Path

import load.requests
import numpy as np
from safetensors.numpy import save

from takeroot.bundle import BundleWriter, Spec
from takeroot.bundle.features import NgramFeatures
from takeroot.serve.v2.messages import message
from takeroot.serve.v2.tensors import join

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
    body = {"inputs": texts, "options": {"top_k": 1}}
    return load.requests.http_request(f"/v1/models/{model}/predict", body, **headers)


def grpc_request(model: str, texts: list[str]) -> bytes:
    """A ModelInferRequest."""
    raw = join([text.encode() for text in texts])
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
