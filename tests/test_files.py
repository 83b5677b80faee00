"""Files are written whole or not at all."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from takeroot.errors import DiskFullError, TakerootError
from takeroot.files import new_folder, replacing, write_text


def test_text_is_written_and_nothing_else_is_left(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "内容")

    assert [(f.name, f.read_text("utf-8")) for f in tmp_path.iterdir()] == [("a.txt", "内容")]


def test_interrupted_write_leaves_the_old_file_alone(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("old")

    with pytest.raises(KeyboardInterrupt), replacing(tmp_path / "a.txt") as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt

    assert [(f.name, f.read_text()) for f in tmp_path.iterdir()] == [("a.txt", "old")]


def test_full_disk_is_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(DiskFullError, match="no space left"), replacing(tmp_path / "a.txt"):
        raise OSError(errno.ENOSPC, "No space left on device")

    assert list(tmp_path.iterdir()) == []


def test_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(TakerootError, match=r"none/a\.txt: cannot be written: No such file"):
        write_text(tmp_path / "none" / "a.txt", "")


def test_a_folder_appears_whole(tmp_path: Path) -> None:
    with new_folder(tmp_path / "made" / "model") as folder:
        (folder / "a.txt").write_text("a")
        assert not (tmp_path / "made" / "model").exists()

    assert (tmp_path / "made" / "model" / "a.txt").read_text() == "a"
    assert [path.name for path in (tmp_path / "made").iterdir()] == ["model"]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(errno.ENOSPC, "full")])
def test_a_folder_that_is_broken_off_leaves_nothing(error: BaseException, tmp_path: Path) -> None:
    with pytest.raises((KeyboardInterrupt, DiskFullError)), new_folder(tmp_path / "model"):
        raise error

    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_there_is_not_replaced(tmp_path: Path) -> None:
    refused = pytest.raises(TakerootError, match="model: is already there")
    with refused, new_folder(tmp_path / "model") as folder:
        (folder / "a.txt").write_text("a")
        (tmp_path / "model").mkdir()

    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert list((tmp_path / "model").iterdir()) == []
