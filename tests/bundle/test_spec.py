from __future__ import annotations

import json

import pytest

from takeroot.bundle.spec import FORMAT, MIGRATIONS, Spec, parse_spec
from takeroot.errors import BundleError

VALUES = {"name": "m", "task": "classify", "labels": ["a", "b"], "runtime": "onnx"}
WRITES = {"task": "generate", "runtime": "ctranslate2", "normalisation": "none"}
END = {"end": ["</s>"]}
FRAMES = {"user": ["<u>", "</u>"], "assistant": ["<a>", "</a>"]}
KNN = {"method": "knn", "threshold": 0.0}


def test_a_spec_survives_json(make_spec):
    spec = make_spec(abstention={"method": "knn", "threshold": -1.5, "neighbours": 10})

    assert parse_spec(spec.model_dump_json().encode()) == spec


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": ["a", "a"]}, "a name repeats"),
        ({"labels": ["a"]}, "classify needs 2 or more"),
        ({"labels": []}, "labels"),
        ({"thresholds": {"z": 0.5}}, "'z' is not a label"),
        ({"task": "tag"}, "tag needs runtime 'onnx' and normalisation 'none'"),
        ({"task": "rank"}, "task"),
        ({"thresholds": {"a": 1.5}}, r"thresholds\.a"),
        ({"runtime": "linear", "abstention": KNN}, "'knn' needs text vectors"),
        ({"task": "tag", "normalisation": "none", "abstention": KNN}, "tag has none"),
        ({"runtime": "pickle"}, "runtime"),
        ({"calibration": {"temperature": 0}}, "temperature"),
        ({"abstention": {"method": "magic", "threshold": 0}}, "method"),
        ({"unknown": 1}, "unknown"),
        ({"name": "../up"}, "name"),
        ({"max_tokens": "64"}, "max_tokens"),
        ({"generation": {"end": ["</s>"]}}, "generation: not for classify"),
        ({"runtime": "ctranslate2"}, "generation: not for classify"),
        (WRITES, "generate needs generation, runtime 'ctranslate2' and normalisation 'none'"),
        (WRITES | {"generation": {"end": []}}, r"generation\.end"),
        (WRITES | {"generation": END}, "has no labels"),
        (WRITES | {"labels": [], "generation": END | {"context": 64}}, "context: 64 tokens do not"),
        (
            WRITES | {"task": "seq2seq", "labels": [], "generation": END | {"frames": FRAMES}},
            "frames: only for generate",
        ),
        (
            WRITES | {"labels": [], "generation": END | {"frames": FRAMES, "after": ["</s>"]}},
            "without after",
        ),
        ({"format": 2}, "format 2 is unknown; this version reads 1–1"),
        ({"format": True}, "format True is unknown"),
        ({"format": None}, "format None is unknown"),
    ],
)
def test_what_breaks_the_schema_is_named(change, message):
    data = json.dumps({"format": 1, **VALUES, **change}).encode()

    with pytest.raises(BundleError, match=f"bundle.json: .*{message}"):
        parse_spec(data)


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b"\xff", b"null", b"[" * 100_000, b'{"a": NaN}']
)
def test_what_is_no_json_object_is_refused(data):
    with pytest.raises(BundleError, match=r"x\.json: (not JSON|format None)"):
        parse_spec(data, "x.json")


def test_infinite_numbers_are_refused():
    values = {"format": 1, **VALUES, "calibration": {"temperature": float("inf")}}

    with pytest.raises(BundleError, match="temperature"):
        parse_spec(json.dumps(values).encode())


def test_each_older_format_has_a_migration():
    assert len(MIGRATIONS) + 1 == FORMAT == Spec.model_validate(VALUES).format


def test_a_spec_cannot_be_changed(make_spec):
    with pytest.raises(ValueError, match="frozen"):
        make_spec().name = "other"
