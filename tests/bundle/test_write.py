from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from takeroot.bundle import BundleWriter, open_bundle
from takeroot.bundle import write as module
from takeroot.bundle.manifest import MANIFEST
from takeroot.errors import BundleError, DiskFullError

CREATED = "2025-01-01T00:00:00Z"
FEATURES = {"format": 1, "words": ["a"], "characters": []}


def _write(folder: Path, spec, created=CREATED, **extra: object) -> None:
    with BundleWriter(folder, created=created) as writer:
        writer.write_spec(spec)
        writer.write_json("features.json", FEATURES)
        writer.write_bytes("linear.safetensors", b"x")
        for name, value in extra.items():
            writer.write_json(f"evidence/{name}.json", value)


@pytest.fixture
def spec(make_spec):
    return make_spec(runtime="linear")


def test_a_bundle_appears_whole_and_alone(tmp_path, spec):
    _write(tmp_path / "runs/one/bundle", spec, metrics={"accuracy": 1})

    bundle = open_bundle(tmp_path / "runs/one/bundle")
    assert [path.name for path in (tmp_path / "runs/one").iterdir()] == ["bundle"]
    assert json.loads(bundle.read("evidence/metrics.json")) == {"accuracy": 1}
    assert bundle.manifest.created == CREATED


def test_the_same_model_has_the_same_hash_whatever_was_measured(tmp_path, make_spec):
    first, second = (make_spec(runtime="linear", pack_tokens=tokens) for tokens in (50, 100))

    _write(tmp_path / "a", first, seconds=1.5)
    _write(tmp_path / "b", second, created="2026", seconds=2.5, more=1)

    assert open_bundle(tmp_path / "a").sha256 == open_bundle(tmp_path / "b").sha256


def test_a_bundle_is_there_only_at_the_end(tmp_path, spec):
    with BundleWriter(tmp_path / "b", created=CREATED) as writer:
        writer.write_spec(spec)
        writer.write_json("features.json", FEATURES)
        writer.write_bytes("linear.safetensors", b"x")
        assert not (tmp_path / "b").exists()
        (hidden,) = tmp_path.iterdir()
        assert not (hidden / MANIFEST).exists()

    assert (tmp_path / "b" / MANIFEST).exists()


@pytest.mark.parametrize("kind", [KeyboardInterrupt, ValueError, SystemExit, MemoryError])
def test_nothing_is_left_behind_when_the_body_fails(tmp_path, spec, kind):
    with pytest.raises(kind), BundleWriter(tmp_path / "new/run/b", created=CREATED) as writer:
        writer.write_spec(spec)
        raise kind

    assert list(tmp_path.iterdir()) == []


def test_parents_that_others_use_by_now_stay(tmp_path, spec):
    with pytest.raises(ValueError), BundleWriter(tmp_path / "run/b", created=CREATED):
        (tmp_path / "run/log.txt").write_text("x")
        raise ValueError

    assert [path.name for path in (tmp_path / "run").iterdir()] == ["log.txt"]


@pytest.mark.parametrize("kind", ["folder", "file", "link"])
def test_what_exists_is_refused_and_untouched(tmp_path, spec, kind):
    out = tmp_path / "b"
    make = {"folder": out.mkdir, "file": out.touch, "link": lambda: out.symlink_to("nowhere")}
    make[kind]()

    with pytest.raises(BundleError, match="b: exists already"):
        _write(out, spec)

    assert [path.name for path in tmp_path.iterdir()] == ["b"]


def test_a_folder_made_meanwhile_is_not_replaced(tmp_path, spec):
    with (
        pytest.raises(BundleError, match="was made while this one was written"),
        BundleWriter(tmp_path / "b", created=CREATED) as writer,
    ):
        writer.write_spec(spec)
        writer.write_json("features.json", FEATURES)
        writer.write_bytes("linear.safetensors", b"x")
        (tmp_path / "b").mkdir()

    assert list((tmp_path / "b").iterdir()) == []
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


def test_an_incomplete_bundle_is_refused(tmp_path, spec):
    with (
        pytest.raises(BundleError, match=r"'features\.json' is missing for 'linear'"),
        BundleWriter(tmp_path / "b", created=CREATED) as writer,
    ):
        writer.write_spec(spec)
        writer.write_bytes("linear.safetensors", b"x")

    assert list(tmp_path.iterdir()) == []


def test_a_bundle_without_spec_is_refused(tmp_path):
    with (
        pytest.raises(BundleError, match=r"bundle\.json was not written"),
        BundleWriter(tmp_path / "b", created=CREATED),
    ):
        pass


@pytest.mark.parametrize("name", ["../up.json", "model.pkl", "manifest.json", "evidence/x.py"])
def test_a_file_no_bundle_has_is_refused(tmp_path, name):
    with (
        pytest.raises(BundleError, match="not a file of a bundle"),
        BundleWriter(tmp_path / "b", created=CREATED) as writer,
    ):
        writer.write_bytes(name, b"")


def test_a_file_is_written_once(tmp_path):
    with (
        pytest.raises(BundleError, match=r"card\.md was written already"),
        BundleWriter(tmp_path / "b", created=CREATED) as writer,
    ):
        writer.write_bytes("card.md", b"1")
        writer.write_bytes("card.md", b"2")


def test_json_without_a_number_for_it_is_refused(tmp_path):
    with (
        pytest.raises(ValueError, match="not JSON compliant"),
        BundleWriter(tmp_path / "b", created=CREATED) as writer,
    ):
        writer.write_json("evidence/fit.json", {"loss": float("nan")})

    assert list(tmp_path.iterdir()) == []


def test_files_are_copied(tmp_path, spec):
    source = tmp_path / "weights"
    source.write_bytes(os.urandom(5_000_000))  # more than one piece

    with BundleWriter(tmp_path / "b", created=CREATED) as writer:
        writer.write_spec(spec)
        writer.write_json("features.json", FEATURES)
        writer.write_bytes("linear.safetensors", b"x")
        writer.copy_file("weights/model.safetensors", source)

    assert open_bundle(tmp_path / "b").read("weights/model.safetensors") == source.read_bytes()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("call", ["fsync", "mkdir", "rename"])
def test_a_full_disk_is_named_wherever_it_is_noticed(tmp_path, spec, monkeypatch, code, call):
    def full(*_args: object, **_more: object) -> None:
        raise OSError(code, "full")

    owner = {"fsync": module.os, "mkdir": module.tempfile, "rename": module.Path}[call]
    monkeypatch.setattr(owner, {"mkdir": "mkdtemp"}.get(call, call), full)

    with pytest.raises(DiskFullError, match="no space left on the disk") as caught:
        _write(tmp_path / "b", spec)

    assert caught.value.exit_code == 3
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_noticed_by_the_caller_is_named_too(tmp_path):
    with pytest.raises(DiskFullError), BundleWriter(tmp_path / "b", created=CREATED):
        raise OSError(errno.ENOSPC, "full")


def test_a_really_full_disk_is_named(tmp_path, spec):
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full here")

    with (
        pytest.raises(DiskFullError),
        BundleWriter(tmp_path / "b", created=CREATED) as writer,
        open("/dev/full", "wb", buffering=0) as file,
    ):
        writer.write_spec(spec)
        file.write(b"x")

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("out", ["file/b", "file/x/b"])
def test_a_place_that_cannot_be_written_is_named(tmp_path, spec, out):
    (tmp_path / "file").touch()

    with pytest.raises(BundleError, match=f"{out}: cannot be written: "):
        _write(tmp_path / out, spec)


KILLED = """
import os, signal, sys
from pathlib import Path
from takeroot.bundle import BundleWriter, Spec, write
steps = {"left": int(sys.argv[2])}
real = os.fsync
def fsync(file):
    real(file)
    steps["left"] -= 1
    if steps["left"] == 0:
        os.kill(os.getpid(), signal.SIGKILL)
os.fsync = fsync
spec = Spec(name="m", task="classify", labels=("a", "b"), runtime="linear")
with BundleWriter(Path(sys.argv[1]), created="2025") as writer:
    writer.write_spec(spec)
    writer.write_json("features.json", {"format": 1, "words": [], "characters": []})
    writer.write_bytes("linear.safetensors", b"x")
    writer.write_json("evidence/fit.json", {})
"""


def test_a_process_killed_after_any_step_leaves_no_bundle_or_a_whole_one(tmp_path):
    steps = 8  # four files, the manifest, two folders, and the parent after the rename
    whole = []
    for step in range(1, steps + 1):
        out = tmp_path / str(step) / "b"
        run = subprocess.run([sys.executable, "-c", KILLED, out, str(step)], check=False)
        assert run.returncode == -9
        if out.exists():
            whole.append(step)
            open_bundle(out)

    assert whole == [8]


def test_after_a_kill_the_same_name_can_be_written(tmp_path, spec):
    subprocess.run([sys.executable, "-c", KILLED, tmp_path / "b", "3"], check=False)

    _write(tmp_path / "b", spec)

    assert open_bundle(tmp_path / "b").name == "tiny"
