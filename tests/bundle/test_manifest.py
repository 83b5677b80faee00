from __future__ import annotations

import hashlib
import json

import pytest

from takeroot.bundle.manifest import (
    FileEntry,
    Manifest,
    canonical,
    check_path,
    model_sha256,
    parse_manifest,
    render_manifest,
    size_cap,
)
from takeroot.bundle.spec import parse_spec
from takeroot.errors import BundleError

SHA = "0" * 64
MANIFEST = Manifest(format=1, name="m", created="2025", takeroot="1", model_sha256=SHA, files=[])


def _entry(path, sha256=SHA):
    return FileEntry(path=path, size=1, sha256=sha256)


def _sealed(**change):
    values = {**MANIFEST.model_dump(mode="json"), **change}
    return canonical({**values, "sha256": hashlib.sha256(canonical(values)).hexdigest()})


def test_a_manifest_survives_being_written():
    assert parse_manifest(render_manifest(MANIFEST), "m") == MANIFEST


def test_every_changed_bit_is_found():
    data = render_manifest(MANIFEST)

    for place in range(len(data)):
        for bit in range(8):
            changed = bytearray(data)
            changed[place] ^= 1 << bit
            with pytest.raises(BundleError, match="m: "):
                parse_manifest(bytes(changed), "m")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 2}, "format 2 is unknown"),
        ({"format": "1"}, "format '1' is unknown"),
        ({"extra": 1}, "extra: Extra inputs"),
        ({"files": [{"path": "a", "size": -1, "sha256": SHA}]}, "size"),
        ({"files": [{"path": "a", "size": 1, "sha256": "A" * 64}]}, "sha256"),
        ({"files": [{"path": "a", "size": 1, "sha256": SHA}] * 257}, "at most 256"),
        ({"created": "x" * 65}, "created"),
        ({"name": 3}, "name"),
    ],
)
def test_a_well_sealed_manifest_must_still_keep_the_schema(change, message):
    with pytest.raises(BundleError, match=message):
        parse_manifest(_sealed(**change), "m")


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b"\xff", b"[" * 100_000])
def test_what_is_no_manifest_is_refused(data):
    with pytest.raises(BundleError, match=r"m: (not JSON|format None)"):
        parse_manifest(data, "m")


def test_another_form_of_the_same_values_is_refused():
    compact = json.dumps(json.loads(render_manifest(MANIFEST))).encode()

    with pytest.raises(BundleError, match="form differs"):
        parse_manifest(compact, "m")


@pytest.mark.parametrize(
    "path", ["bundle.json", "model.onnx", "weights/model.safetensors", "evidence/fit.json"]
)
def test_the_files_of_the_format_are_known(path):
    check_path(path)
    assert size_cap(path) > 0


@pytest.mark.parametrize(
    "path",
    [
        "manifest.json",
        "x.py",
        "weights/model.bin",
        "weights/../bundle.json",
        "weights//a.json",
        "/bundle.json",
        "evidence/.hidden.json",
        "evidence/a/b.json",
        "evidence\\a.json",
        "bundle.json\n",
        "",
        "model.onnx.data",
        "evidence/fit.pkl",
    ],
)
def test_other_files_are_refused(path):
    with pytest.raises(BundleError, match="not a file of a bundle"):
        check_path(path)


def test_what_changes_no_answer_changes_no_hash(make_spec):
    served = [_entry("bundle.json"), _entry("model.onnx")]
    beside = [_entry(path) for path in ("evidence/a.json", "report.html", "weights/w.json")]

    plain = model_sha256(make_spec(), served)

    assert plain == model_sha256(make_spec(pack_tokens=50, mask=True), [*served[::-1], *beside])


def test_bundles_written_before_a_key_was_added_keep_their_hash():
    spec = {"name": "m", "task": "classify", "labels": ["a", "b"], "runtime": "onnx"}

    found = model_sha256(
        parse_spec(json.dumps({"format": 1, **spec}).encode()), [_entry("model.onnx")]
    )

    # written down before bundle.json had ``mask``
    assert found == "2bd485432d10319d3f5262231249214ce90826967434e2a0303602b2a111c8f8"


@pytest.mark.parametrize("change", [{"labels": ("c", "b", "a")}, {"max_tokens": 17}])
def test_what_changes_answers_changes_the_hash(make_spec, change):
    served = [_entry("model.onnx")]

    assert model_sha256(make_spec(), served) != model_sha256(make_spec(**change), served)
    assert model_sha256(make_spec(), served) != model_sha256(
        make_spec(), [_entry("model.onnx", "1" * 64)]
    )
