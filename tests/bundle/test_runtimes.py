"""What holds for every entry of RUNTIMES that gives labels, and what each refuses.

That of texts is in ``test_ctranslate2``.
"""

from __future__ import annotations

import json

import numpy as np
import pytest
from safetensors.numpy import save

from takeroot.bundle import Predictor
from takeroot.bundle.arrays import read_arrays
from takeroot.bundle.features import NgramFeatures
from takeroot.bundle.runtimes import RUNTIMES
from takeroot.bundle.runtimes.linear import LinearRuntime
from takeroot.bundle.runtimes.onnx import OnnxRuntime
from takeroot.errors import BundleError

OF_LABELS = sorted(set(RUNTIMES) - {"ctranslate2"})
TEXTS = ["my card", "where is the pin", "", "我的卡"]
ARRAYS = {"coef": np.ones((2, 3)), "intercept": np.zeros(3), "idf": np.ones(2)}
FEATURES = {"format": 1, "words": ["my"], "characters": ["my"]}


@pytest.fixture
def build(request, make_spec, tokenizer_json, build_graph):
    def runtime(name, threads=1):
        files = {
            "tokenizer.json": tokenizer_json,
            "model.onnx": build_graph(3),
            "features.json": json.dumps(FEATURES).encode(),
            "linear.safetensors": save(ARRAYS),
        }
        return RUNTIMES[name](make_spec(runtime=name), files.__getitem__, threads=threads)

    return runtime


@pytest.mark.parametrize("name", OF_LABELS)
def test_outputs_come_in_the_order_of_the_inputs(build, name):
    runtime = build(name)

    forward, backward = runtime.run(TEXTS).logits, runtime.run(TEXTS[::-1]).logits

    assert forward.shape == (4, 3)
    assert forward.dtype == np.float32
    np.testing.assert_allclose(forward, backward[::-1], atol=2e-5)


@pytest.mark.parametrize("name", OF_LABELS)
def test_no_inputs_give_no_rows(build, name):
    assert build(name).run([]).logits.shape == (0, 3)


@pytest.mark.parametrize("name", OF_LABELS)
def test_more_inputs_than_one_batch_are_all_answered(build, name):
    runtime = build(name, threads=2)

    logits = runtime.run(TEXTS * 300).logits

    np.testing.assert_allclose(logits[-4:], runtime.run(TEXTS).logits, atol=2e-5)
    assert len(logits) == 1200


def test_linear_logits_are_features_times_weights(linear_bundle):
    weights = linear_bundle.read("linear.safetensors")
    arrays = read_arrays(weights, "x", ("coef", "intercept", "idf"))
    values = json.loads(linear_bundle.read("features.json"))
    found = NgramFeatures.from_json(values, arrays["idf"]).transform(["where is my card"])
    row = np.zeros(found.n_features)
    row[found.indices] = found.data

    outputs = Predictor(linear_bundle).outputs(["where is my card"])

    expected = row @ arrays["coef"].astype(np.float64) + arrays["intercept"]
    np.testing.assert_allclose(outputs.logits[0], expected, atol=1e-5)
    assert outputs.embedding is None


def _linear(make_spec, features=FEATURES, **arrays):
    files = {
        "features.json": features if isinstance(features, bytes) else json.dumps(features).encode(),
        "linear.safetensors": save({**ARRAYS, **arrays}),
    }
    return LinearRuntime(make_spec(runtime="linear"), files.__getitem__, threads=1)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"coef": np.ones((2, 4))}, r"coef is \(2, 4\) .* must be \(2, 3\)"),
        ({"intercept": np.ones(2)}, r"intercept \(2,\), must be"),
        ({"idf": np.ones(3)}, "n-grams"),
        ({"coef": np.full((2, 3), np.nan)}, "must hold finite"),
        ({"coef": np.ones((2, 3), np.int64)}, "floating-point"),
    ],
)
def test_linear_arrays_must_fit_each_other(make_spec, arrays, message):
    with pytest.raises(BundleError, match=message):
        _linear(make_spec, **arrays)


@pytest.mark.parametrize("features", [b"", b"{", b"\xff", b"[" * 100_000])
def test_features_that_are_no_json_are_refused(make_spec, features):
    with pytest.raises(BundleError, match=r"features\.json: not JSON"):
        _linear(make_spec, features)


@pytest.mark.parametrize("data", [b"", b"\xff" * 100, save({"other": np.ones(1)})])
def test_array_files_without_the_arrays_are_refused(data):
    with pytest.raises(BundleError, match=r"w: (not a safetensors file|no array 'coef')"):
        read_arrays(data, "w", ("coef",))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"task": "tag", "normalisation": "none"}, "logits are 3 wide; bundle.json asks for 7"),
        ({"labels": ("a", "b")}, "logits are 3 wide"),
    ],
)
def test_a_graph_of_another_width_is_refused(
    make_spec, tokenizer_json, build_graph, change, message
):
    pooled = change.get("task") != "tag"
    files = {"tokenizer.json": tokenizer_json, "model.onnx": build_graph(3, pooled=pooled)}

    with pytest.raises(BundleError, match=message):
        OnnxRuntime(make_spec(**change), files.__getitem__, threads=1)


def test_a_graph_over_tokens_is_refused_where_texts_are_wanted(
    make_spec, tokenizer_json, build_graph
):
    files = {"tokenizer.json": tokenizer_json, "model.onnx": build_graph(3, pooled=False)}

    with pytest.raises(BundleError, match=r"inputs are .*; needed .*'pool'"):
        OnnxRuntime(make_spec(), files.__getitem__, threads=1)


def test_a_graph_over_texts_is_refused_where_words_are_wanted(
    make_spec, tokenizer_json, build_graph
):
    spec = make_spec(task="tag", normalisation="none", labels=("x",))
    files = {"tokenizer.json": tokenizer_json, "model.onnx": build_graph(3)}

    with pytest.raises(BundleError, match=r"inputs are .*'pool'"):
        OnnxRuntime(spec, files.__getitem__, threads=1)


def test_tag_answers_do_not_depend_on_windows_of_other_texts(make_bundle):
    predictor = Predictor(make_bundle(task="tag", labels=("x", "y"), normalisation="none"), 2)
    texts = ["Ann lost my card", "card " * 60, " ", "我的卡. help"]

    together = predictor.predict(texts * 2)

    for row, text in enumerate(texts * 2):
        alone = predictor.predict([text])[0]
        spans = [(entity.start, entity.end, entity.label) for entity in alone.entities]
        assert spans == [(e.start, e.end, e.label) for e in together[row].entities]
        assert all(text[e.start : e.end] == e.text for e in together[row].entities)


def test_position_ids_start_where_the_spec_says(make_spec, tokenizer_json, build_graph):
    files = {"tokenizer.json": tokenizer_json, "model.onnx": build_graph(3)}
    specs = [make_spec(position_offset=offset) for offset in (0, 2)]

    zero, two = (OnnxRuntime(spec, files.__getitem__, threads=1).run(["my pin"]) for spec in specs)

    assert not np.allclose(zero.logits, two.logits)
