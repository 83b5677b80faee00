"""Tiny real models: a tokenizer, packed ONNX graphs, and bundles of each task and runtime."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, settings
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from takeroot.bundle import Bundle, BundleWriter, Spec, open_bundle
from takeroot.bundle.features import NgramFeatures

WORDS = ["my", "card", "is", "lost", "where", "change", "the", "pin", "please", "help", "ann"]
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS, "##s", "##ed", "我", "的", "卡", ".", ","]
# Machines that run tests are busy: nothing may depend on how fast they are.
settings.register_profile("takeroot", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("takeroot")

CREATED = "2025-01-01T00:00:00Z"
HIDDEN = 8
TEXTS = ["my card is lost", "where is my card", "change the pin", "please help"]


@pytest.fixture(scope="session")
def tokenizer_json() -> bytes:
    """A WordPiece tokenizer with BERT's normalizer and special tokens."""
    vocabulary = {token: number for number, token in enumerate(VOCABULARY)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    return tokenizer.to_str().encode()


@pytest.fixture(scope="session")
def build_graph() -> Callable[..., bytes]:
    """A packed graph with one layer of masked attention and random weights."""
    return _build_graph


def _build_graph(outputs: int, *, pooled: bool = True, seed: int = 0) -> bytes:
    rng = np.random.default_rng(seed)
    shapes = {
        "table": (len(VOCABULARY), HIDDEN),
        "places": (512, HIDDEN),
        "kinds": (2, HIDDEN),
        "head": (HIDDEN, outputs),
        "bias": (outputs,),
    }
    arrays = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    arrays["masked"] = np.array(-1e4, np.float32)
    arrays["zero"] = np.array(0, np.float32)
    arrays["first"] = np.array([1], np.int64)
    arrays["second"] = np.array([2], np.int64)
    make = helper.make_node
    nodes = [
        make("Gather", ["table", "input_ids"], ["a"]),
        make("Gather", ["places", "position_ids"], ["b"]),
        make("Gather", ["kinds", "token_type_ids"], ["c"]),
        make("Sum", ["a", "b", "c"], ["x"]),  # (1, S, H)
        make("Unsqueeze", ["segments", "first"], ["rows"]),
        make("Unsqueeze", ["segments", "second"], ["columns"]),
        make("Equal", ["rows", "columns"], ["same"]),
        make("Where", ["same", "zero", "masked"], ["mask"]),
        make("Transpose", ["x"], ["xt"], perm=[0, 2, 1]),
        make("MatMul", ["x", "xt"], ["scores"]),
        make("Add", ["scores", "mask"], ["allowed"]),
        make("Softmax", ["allowed"], ["weights"], axis=-1),
        make("MatMul", ["weights", "x"], ["mixed"]),
        make("Squeeze", ["mixed", "zeroth"], ["tokens"]),  # (S, H)
    ]
    arrays["zeroth"] = np.array([0], np.int64)
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, [1, "s"])
        for name in ("input_ids", "position_ids", "token_type_ids", "segments")
    ]
    results = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", outputs])]
    vectors = "tokens"
    if pooled:
        inputs.append(helper.make_tensor_value_info("pool", TensorProto.FLOAT, ["n", "s"]))
        results.append(helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", HIDDEN]))
        nodes += [
            make("MatMul", ["pool", "tokens"], ["mean"]),
            make("LpNormalization", ["mean"], ["embedding"], axis=-1, p=2),
        ]
        vectors = "embedding"
    nodes += [
        make("MatMul", [vectors, "head"], ["product"]),
        make("Add", ["product", "bias"], ["logits"]),
    ]
    stored = [numpy_helper.from_array(array, name) for name, array in arrays.items()]
    graph = helper.make_graph(nodes, "tiny", inputs, results, stored)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def _spec(**values: object) -> Spec:
    defaults = {"name": "tiny", "task": "classify", "labels": ("a", "b", "c"), "max_tokens": 16}
    return Spec.model_validate({**defaults, "runtime": "onnx", "pack_tokens": 24, **values})


@pytest.fixture(scope="session")
def make_spec() -> Callable[..., Spec]:
    """A spec, with what is given in place of the defaults."""
    return _spec


@pytest.fixture
def make_bundle(tmp_path: Path, tokenizer_json: bytes) -> Callable[..., Bundle]:
    """Writes and opens a bundle of any task for the onnx runtime."""

    def build(folder: str = "bundle", **values: object) -> Bundle:
        spec = _spec(token_types=True, **values)
        tag = spec.task == "tag"
        width = 1 + 2 * len(spec.labels) if tag else len(spec.labels)
        with BundleWriter(tmp_path / folder, created=CREATED) as writer:
            writer.write_spec(spec)
            writer.write_bytes("tokenizer.json", tokenizer_json)
            writer.write_bytes("model.onnx", _build_graph(width, pooled=not tag))
            writer.write_bytes("reference.safetensors", _reference(len(spec.labels)))
            writer.write_json("evidence/metrics.json", {"valid": {"accuracy": 0.5}})
            writer.write_bytes("weights/model.safetensors", save({"w": np.ones(3, np.float32)}))
            writer.write_bytes("report.html", b"<!doctype html>")
        return open_bundle(tmp_path / folder)

    return build


def _reference(labels: int) -> bytes:
    rng = np.random.default_rng(1)
    references = rng.normal(size=(20, HIDDEN))
    references /= np.linalg.norm(references, axis=1, keepdims=True)
    arrays = {"means": rng.normal(size=(labels, HIDDEN)), "precision": np.eye(HIDDEN)}
    arrays["references"] = references
    return save({name: array.astype(np.float16) for name, array in arrays.items()})


@pytest.fixture
def linear_bundle(tmp_path: Path) -> Bundle:
    """A bundle of the linear runtime."""
    features = NgramFeatures.fit(TEXTS, 500)
    rng = np.random.default_rng(2)
    arrays = {
        "coef": rng.normal(size=(len(features.idf), 3)).astype(np.float16),
        "intercept": np.array([0.1, 0.2, 0.3], np.float32),
        "idf": features.idf,
    }
    with BundleWriter(tmp_path / "linear", created=CREATED) as writer:
        writer.write_spec(_spec(runtime="linear"))
        writer.write_json("features.json", features.to_json())
        writer.write_bytes("linear.safetensors", save(arrays))
    return open_bundle(tmp_path / "linear")
