from __future__ import annotations

import hashlib
import os
import random
import shutil
from pathlib import Path

import onnx
import pytest

from takeroot.bundle import manifest as layout
from takeroot.bundle import open_bundle
from takeroot.bundle.manifest import (
    MANIFEST,
    FileEntry,
    canonical,
    model_sha256,
    parse_manifest,
    render_manifest,
)
from takeroot.errors import BundleError


def _reseal(folder: Path, **changes: object) -> None:
    """Write a manifest that fits what is in the folder, as somebody with a hasher could."""
    manifest = parse_manifest((folder / MANIFEST).read_bytes(), "m")
    files = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name, data = path.relative_to(folder).as_posix(), path.read_bytes()
        if name != MANIFEST:
            digest = hashlib.sha256(data).hexdigest()
            files.append(FileEntry(path=name, size=len(data), sha256=digest))
    files.sort(key=lambda file: file.path)
    update = {"files": files, **changes}
    (folder / MANIFEST).write_bytes(render_manifest(manifest.model_copy(update=update)))


def test_a_bundle_gives_its_files_and_names(make_bundle):
    bundle = make_bundle()

    again = open_bundle(bundle.path)

    assert (again.name, again.sha256, again.spec) == ("tiny", bundle.sha256, bundle.spec)
    assert len(again.files) == 7
    for path in again.files:
        assert again.read(path) == (bundle.path / path).read_bytes()


def test_a_file_it_does_not_have_is_named_with_those_it_has(make_bundle):
    with pytest.raises(BundleError, match=r"no file 'card.md'; there is: bundle.json, "):
        make_bundle().read("card.md")


def test_every_flipped_bit_is_refused(make_bundle):
    bundle = make_bundle()
    rng = random.Random(0)

    for path in (*bundle.files, MANIFEST):
        file = bundle.path / path
        whole = file.read_bytes()
        for _ in range(40):
            changed = bytearray(whole)
            changed[rng.randrange(len(whole))] ^= 1 << rng.randrange(8)
            file.write_bytes(changed)
            with pytest.raises(BundleError, match=path):
                open_bundle(bundle.path)
        file.write_bytes(whole)
    open_bundle(bundle.path)


def test_every_shortened_or_lengthened_file_is_refused(make_bundle):
    bundle = make_bundle()

    for path in (*bundle.files, MANIFEST):
        file = bundle.path / path
        whole = file.read_bytes()
        for changed in (whole[:-1], whole[: len(whole) // 2], b"", whole + b"\n"):
            file.write_bytes(changed)
            with pytest.raises(BundleError, match=path):
                open_bundle(bundle.path)
        file.write_bytes(whole)


def test_opened_for_serving_every_file_that_decides_an_answer_is_verified(make_bundle):
    bundle = make_bundle()

    for path in ("bundle.json", "model.onnx", "tokenizer.json", MANIFEST):
        file = bundle.path / path
        whole = file.read_bytes()
        file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        with pytest.raises(BundleError, match=path):
            open_bundle(bundle.path, served_only=True)
        file.write_bytes(whole)


def test_opened_for_serving_the_other_files_are_verified_when_they_are_asked_for(make_bundle):
    bundle = make_bundle()
    others = [path for path in bundle.files if path.startswith(("weights/", "evidence/"))]

    for path in others:
        with (bundle.path / path).open("ab") as stream:
            stream.write(b" ")
    again = open_bundle(bundle.path, served_only=True)

    assert others
    for path in others:
        with pytest.raises(BundleError, match=path):
            again.read(path)


def test_every_missing_file_is_named(make_bundle):
    bundle = make_bundle()

    for path in (*bundle.files, MANIFEST):
        (bundle.path / path).rename(bundle.path.parent / "away")
        with pytest.raises(BundleError, match=f"{path}' is missing"):
            open_bundle(bundle.path)
        (bundle.path.parent / "away").rename(bundle.path / path)


@pytest.mark.parametrize(
    "path", ["extra.json", "card.md", "weights/more.json", ".hidden", "weights/.x", "m.pkl"]
)
def test_a_file_too_many_is_named(make_bundle, path):
    folder = make_bundle().path
    (folder / path).write_bytes(b"{}")

    with pytest.raises(BundleError, match=f"'{path}' is not in manifest"):
        open_bundle(folder)


@pytest.mark.parametrize("path", ["more", "weights/more"])
def test_a_folder_too_many_is_refused(make_bundle, path):
    folder = make_bundle().path
    (folder / path).mkdir()

    with pytest.raises(BundleError, match=f"'{path}' is not in manifest"):
        open_bundle(folder)


def test_an_empty_folder_of_a_known_name_is_refused(linear_bundle):
    (linear_bundle.path / "weights").mkdir()

    with pytest.raises(BundleError, match="'weights/' is not in manifest"):
        open_bundle(linear_bundle.path)


def test_a_link_in_place_of_any_file_is_refused(make_bundle):
    bundle = make_bundle()

    for path in (*bundle.files, MANIFEST):
        file, away = bundle.path / path, bundle.path.parent / "away"
        file.rename(away)
        file.symlink_to(away)
        with pytest.raises(BundleError, match="cannot be opened or is a link"):
            open_bundle(bundle.path)
        file.unlink()
        away.rename(file)


def test_a_second_name_for_any_file_is_refused(make_bundle):
    bundle = make_bundle()

    for path in (*bundle.files, MANIFEST):
        os.link(bundle.path / path, bundle.path.parent / "second")
        with pytest.raises(BundleError, match=f"{path}: has 2 hard links"):
            open_bundle(bundle.path)
        (bundle.path.parent / "second").unlink()


@pytest.mark.parametrize("name", ["weights", "evidence"])
def test_a_link_in_place_of_a_folder_is_refused(make_bundle, name):
    folder = make_bundle().path
    (folder / name).rename(folder.parent / "away")
    (folder / name).symlink_to(folder.parent / "away")

    with pytest.raises(BundleError, match=f"{name}: must be a folder, not a link"):
        open_bundle(folder)


def test_a_named_pipe_is_refused_without_waiting(make_bundle):
    folder = make_bundle().path
    (folder / "model.onnx").unlink()
    os.mkfifo(folder / "model.onnx")

    with pytest.raises(BundleError, match=r"model\.onnx: must be a regular file"):
        open_bundle(folder)


def test_the_bundles_own_folder_may_be_reached_by_a_link(make_bundle):
    bundle = make_bundle()
    (bundle.path.parent / "current").symlink_to(bundle.path)

    assert open_bundle(bundle.path.parent / "current").sha256 == bundle.sha256


@pytest.mark.parametrize("name", ["nowhere", "file"])
def test_what_is_no_folder_is_refused(tmp_path, name):
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(BundleError, match=f"{name}: not a bundle folder"):
        open_bundle(tmp_path / name)


def test_an_empty_folder_lacks_its_manifest(tmp_path):
    with pytest.raises(BundleError, match=r"'manifest\.json' is missing"):
        open_bundle(tmp_path)


def test_a_file_of_no_known_name_is_refused_even_when_listed(make_bundle):
    folder = make_bundle().path
    (folder / "code.py").write_bytes(b"print(1)")
    _reseal(folder)

    with pytest.raises(BundleError, match=r"'code\.py': not a file of a bundle"):
        open_bundle(folder)


def test_graphs_that_read_other_files_are_refused(make_bundle):
    bundle = make_bundle()
    folder = bundle.path
    model = onnx.load_from_string(bundle.read("model.onnx"))
    model.graph.initializer[0].data_location = onnx.TensorProto.EXTERNAL
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    _reseal(folder)
    files = parse_manifest((folder / MANIFEST).read_bytes(), "m").files
    _reseal(folder, model_sha256=model_sha256(bundle.spec, files))

    with pytest.raises(BundleError, match="data outside the file"):
        open_bundle(folder)


def test_an_answer_hash_that_does_not_fit_is_refused(make_bundle):
    folder = make_bundle().path
    _reseal(folder, model_sha256="0" * 64)

    with pytest.raises(BundleError, match="model_sha256 is not that of the files"):
        open_bundle(folder)


@pytest.mark.parametrize("path", ["tokenizer.json", "model.onnx"])
def test_a_runtimes_files_must_be_there(make_bundle, path):
    folder = make_bundle().path
    (folder / path).unlink()
    _reseal(folder)

    with pytest.raises(BundleError, match=f"'{path}' is missing for 'onnx'"):
        open_bundle(folder)


def test_reference_arrays_must_be_there_for_methods_that_compare(make_bundle):
    rule = {"method": "knn", "threshold": 0.0}
    folder = make_bundle(abstention=rule).path
    (folder / "reference.safetensors").unlink()
    _reseal(folder)

    with pytest.raises(BundleError, match=r"'reference\.safetensors' is missing"):
        open_bundle(folder)


def test_the_manifest_and_the_spec_must_name_the_same_model(make_bundle):
    folder = make_bundle().path
    _reseal(folder, name="other")

    with pytest.raises(BundleError, match=r"manifest\.json is of 'other', bundle\.json of 'tiny'"):
        open_bundle(folder)


def test_files_over_the_cap_are_refused_before_they_are_read(make_bundle, monkeypatch):
    folder = make_bundle().path
    monkeypatch.setitem(layout._CAPS, ".onnx", 100)

    with pytest.raises(BundleError, match=r"model\.onnx: \d+ bytes, must be \d+ and at most 100"):
        open_bundle(folder)


def test_a_huge_manifest_is_refused(make_bundle):
    folder = make_bundle().path
    (folder / MANIFEST).write_bytes(b" " * (2 << 20))

    with pytest.raises(BundleError, match=r"manifest\.json: 2097152 bytes, more than"):
        open_bundle(folder)


def test_what_changes_after_opening_is_not_handed_out(make_bundle):
    bundle = make_bundle()
    model = (bundle.path / "model.onnx").read_bytes()
    (bundle.path / "model.onnx").write_bytes(b"other")
    (bundle.path / "weights/model.safetensors").write_bytes(b"other")

    assert bundle.read("model.onnx") == model  # read once, when it was verified
    with pytest.raises(BundleError, match="weights/model"):
        bundle.read("weights/model.safetensors")


def test_another_copy_of_a_bundle_is_as_good(make_bundle, tmp_path):
    bundle = make_bundle()
    shutil.copytree(bundle.path, tmp_path / "copy")

    assert open_bundle(tmp_path / "copy").sha256 == bundle.sha256


def test_an_unsorted_or_repeating_manifest_is_refused(make_bundle):
    bundle = make_bundle()
    files = list(bundle.manifest.files)
    for wrong in (files[::-1], [*files, files[-1]]):
        update = bundle.manifest.model_copy(update={"files": wrong})
        (bundle.path / MANIFEST).write_bytes(render_manifest(update))
        with pytest.raises(BundleError, match="files must be sorted and different"):
            open_bundle(bundle.path)


def test_canonical_json_is_one_form_only():
    assert canonical({"b": 1, "a": "é"}) == '{\n "a": "é",\n "b": 1\n}\n'.encode()
