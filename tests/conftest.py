"""A small real bundle that any test may open: shop messages, three labels, no torch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from safetensors.numpy import save

from takeroot.bundle import BundleWriter, Spec
from takeroot.bundle.features import NgramFeatures

# The same examples in every run, and no deadline: a busy machine is no error.
settings.register_profile("takeroot", deadline=None, derandomize=True)
settings.load_profile("takeroot")

SHOP = {
    "refund": ["i want my money back", "please refund my order", "refund me now"],
    "delivery": ["where is my parcel", "the parcel has not arrived", "when does delivery come"],
    "account": ["i forgot my password", "my login does not work", "reset my password please"],
}


@pytest.fixture(scope="session")
def shop_rows() -> list[dict[str, str]]:
    """The bundle's training rows, which it gets right."""
    return [{"text": text, "intent": intent} for intent in SHOP for text in SHOP[intent]]


@pytest.fixture(scope="session")
def shop_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder's bundle whose weights are each class's mean TF-IDF vector."""
    folder = tmp_path_factory.mktemp("run") / "bundle"
    features = NgramFeatures.fit([text for texts in SHOP.values() for text in texts], 2000)
    arrays = {
        "coef": np.stack([_mean(features, texts) for texts in SHOP.values()], axis=1) * 20,
        "intercept": np.zeros(len(SHOP), np.float32),
        "idf": features.idf,
    }
    arrays["coef"] = arrays["coef"].astype(np.float16)
    columns = {"text": "text", "second": None, "label": "intent"}
    spec = Spec.model_validate(
        {"name": "shop", "task": "classify", "labels": tuple(SHOP), "runtime": "linear"}
        | {"input": columns, "abstention": {"method": "max_softmax", "threshold": 0.5}}
    )
    with BundleWriter(folder, created="2025-01-01T00:00:00Z") as writer:
        writer.write_spec(spec)
        writer.write_json("features.json", features.to_json())
        writer.write_bytes("linear.safetensors", save(arrays))
        writer.write_bytes("report.html", b"<!doctype html>")
    return folder


def _mean(features: NgramFeatures, texts: list[str]) -> np.ndarray:
    rows = features.transform(texts)
    mean = np.zeros(rows.n_features, np.float32)
    np.add.at(mean, rows.indices, rows.data / len(texts))
    return mean
