"""Lines that are appended by a thread: whole or not at all, and never more than fit."""

from __future__ import annotations

import logging
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from takeroot.errors import TakerootError
from takeroot.serve.journal import Entry, Journal, append

# In a process of its own that may write no more than 10 bytes to a file.
FULL = """
import resource, sys
from pathlib import Path
from takeroot.serve.journal import append
resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))
path = Path(sys.argv[1])
append(path, [b"one\\n"])
try:
    append(path, [b"two\\n", b"three\\n"])
except OSError as error:
    print(error.strerror)
append(path, [b"four\\n"])
"""


def entry(text: str, file: str = "m/day.jsonl", size: int = 10) -> Entry:
    return Entry(file, 1, size, f"{text}\n".encode)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(tmp_path / "records", most_waiting=100)
    yield journal
    journal.close()


def test_all_that_was_put_is_written_in_order_before_it_closes(tmp_path: Path) -> None:
    journal = Journal(tmp_path)

    for number in range(1000):
        journal.put(entry(str(number), f"m{number % 2}/day.jsonl"))
    journal.close()
    journal.close()

    for model in (0, 1):
        lines = (tmp_path / f"m{model}" / "day.jsonl").read_text().split()
        assert lines == [str(number) for number in range(model, 1000, 2)]
    assert (journal.written, journal.dropped) == (1000, 0)


def test_only_the_owner_may_read_what_is_written(journal: Journal, tmp_path: Path) -> None:
    journal.put(entry("a"))
    journal.close()

    folder = tmp_path / "records"
    modes = [
        stat.S_IMODE(path.stat().st_mode)
        for path in (folder, folder / "m", folder / "m" / "day.jsonl")
    ]
    assert modes == [0o700, 0o700, 0o600]


def test_beyond_its_bound_entries_are_dropped_and_counted(
    journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    writing, go_on = threading.Event(), threading.Event()

    def slow() -> bytes:
        writing.set()
        assert go_on.wait(60)
        return b"slow\n"

    journal.put(Entry("m/day.jsonl", 1, 10, slow))
    assert writing.wait(60)
    for number in range(20):
        journal.put(entry(str(number)))
    go_on.set()
    journal.close()

    assert (journal.written, journal.dropped) == (10, 11)  # 10 bytes each, 100 in all
    assert [record.levelno for record in caplog.records] == [logging.ERROR] * 2
    assert caplog.messages[0].startswith("1 records were dropped: the disk is slower")
    assert caplog.messages[1].startswith("10 records were dropped")


def test_what_the_disk_refuses_is_dropped_and_the_rest_written(
    journal: Journal, tmp_path: Path
) -> None:
    (tmp_path / "records" / "bad").write_text("a file where a folder should be")

    journal.put(entry("a", "bad/day.jsonl"))
    journal.put(entry("b", "good/day.jsonl"))
    journal.close()

    assert (journal.written, journal.dropped) == (1, 1)
    assert (tmp_path / "records" / "good" / "day.jsonl").read_text() == "b\n"


def test_lines_that_cannot_be_made_do_not_end_the_thread(
    journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> bytes:
        raise ValueError("4111 1111 1111 1111")

    journal.put(Entry("bad/day.jsonl", 1, 10, broken))
    journal.put(entry("b"))
    journal.close()

    assert (journal.written, journal.dropped) == (1, 1)
    assert "ValueError at test_journal.py" in caplog.text
    assert "4111" not in caplog.text


def test_a_full_disk_leaves_no_half_line(tmp_path: Path) -> None:
    path = tmp_path / "m" / "day.jsonl"

    done = subprocess.run(
        [sys.executable, "-c", FULL, path], capture_output=True, text=True, check=True
    )

    assert done.stdout == "File too large\n"
    assert path.read_text() == "one\nfour\n"


@pytest.mark.parametrize("torn", ["", "torn", "x" * 200_000])
def test_a_line_an_ended_process_left_half_written_is_cut_off(tmp_path: Path, torn: str) -> None:
    path = tmp_path / "day.jsonl"
    path.write_text(f"{torn}")
    append(path, [b"one\n"])
    with path.open("a") as file:
        file.write(torn)

    append(path, [b"two\n"])

    assert path.read_text() == "one\ntwo\n"


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "day.jsonl").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(OSError, match="symbolic links"):
        append(tmp_path / "day.jsonl", [b"one\n"])

    assert not (tmp_path / "elsewhere").exists()


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(TakerootError, match="records cannot be kept there: Not a directory"):
        Journal(tmp_path / "file" / "records")
