"""Usage is counted, kept, and survives a killed process."""

from __future__ import annotations

import json
import logging
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread

import pytest

from takeroot.errors import TakerootError
from takeroot.serve.caller import Gate
from takeroot.serve.faults import ServeError
from takeroot.serve.tokens import create
from takeroot.serve.usage import Ledger, day_name

WORK = """
import itertools, json, sys
from pathlib import Path
from takeroot.serve.caller import Gate

gate = Gate(Path(sys.argv[1]), Path(sys.argv[2]), clock=lambda: 0.0)
caller = gate.admit(f"Bearer {sys.stdin.readline().strip()}", "predict")
for number in itertools.count(1):
    gate.check_quota(caller, 2)
    gate.charge(caller, "shop", 2, 3, 0.5)
    if number % 1000 == 0:
        print(json.dumps([number - gate.unsaved, number]), flush=True)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "usage.sqlite3"


def row(token: str, model: str, day: str, requests: int) -> dict[str, object]:
    """What ``requests`` requests of 2 texts, 3 tokens and half a millisecond add up to."""
    return {
        "token": token,
        "model": model,
        "day": day,
        "requests": requests,
        "texts": 2 * requests,
        "tokens": 3 * requests,
        "compute_ms": 0.5 * requests,
    }


def charge(ledger: Ledger, token: str, model: str, day: int, requests: int = 1) -> None:
    for _ in range(requests):
        ledger.charge((token, model, day), 2, 3, 0.5)


@pytest.mark.parametrize("kept", [True, False])
def test_rows_add_up_by_token_model_and_day(path: Path, kept: bool) -> None:
    ledger = Ledger(path if kept else None)
    for key in [("b", "m", 0), ("a", "n", 0), ("a", "m", 1), ("a", "m", 0), ("a", "m", 0)]:
        charge(ledger, *key)

    assert ledger.rows() == [
        row("a", "m", "1970-01-01", 2),
        row("a", "n", "1970-01-01", 1),
        row("b", "m", "1970-01-01", 1),
        row("a", "m", "1970-01-02", 1),
    ]
    ledger.close()


@pytest.mark.parametrize("kept", [True, False])
def test_rows_can_start_at_a_day(path: Path, kept: bool) -> None:
    ledger = Ledger(path if kept else None)
    for day in (18, 19, 20):
        charge(ledger, "a", "m", day)

    assert [each["day"] for each in ledger.rows("1970-01-20")] == ["1970-01-20", "1970-01-21"]
    ledger.close()


def test_closing_saves_and_the_next_server_goes_on(path: Path) -> None:
    for _ in range(3):
        ledger = Ledger(path)
        charge(ledger, "a", "m", 0, requests=5)
        ledger.close()
        ledger.close()

    again = Ledger(path)
    assert again.rows() == [row("a", "m", "1970-01-01", 15)]
    again.close()


def test_servers_that_share_a_file_add_to_it(path: Path) -> None:
    ledgers = [Ledger(path), Ledger(path)]
    for ledger in ledgers:
        charge(ledger, "a", "m", 0)
    for ledger in ledgers:
        ledger.close()

    again = Ledger(path)
    assert again.rows() == [row("a", "m", "1970-01-01", 2)]
    again.close()


@pytest.fixture
def restless() -> Iterator[None]:
    """Threads take turns a thousand times as often."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(5e-6)
    yield
    sys.setswitchinterval(before)


def test_a_row_read_while_it_is_saved_counts_once(path: Path, restless: None) -> None:
    ledger, done = Ledger(path), Event()

    def save_on_and_on() -> None:
        while not done.is_set():
            ledger._save()

    saver = Thread(target=save_on_and_on, daemon=True)
    saver.start()
    seen = []
    for _ in range(300):
        charge(ledger, "a", "m", 0)
        seen.append(ledger.rows()[0]["requests"])
    done.set()
    saver.join()
    ledger.close()

    assert seen == list(range(1, 301))


def test_threads_lose_no_request(path: Path, restless: None) -> None:
    ledger = Ledger(path)
    threads = [Thread(target=charge, args=(ledger, "a", "m", 0, 5000)) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        ledger._save()
    ledger.close()

    again = Ledger(path)
    assert again.rows() == [row("a", "m", "1970-01-01", 20_000)]
    again.close()


def test_the_file_is_for_its_owner_only(path: Path) -> None:
    ledger = Ledger(path)

    assert {file.stat().st_mode & 0o777 for file in path.parent.iterdir()} == {0o600}
    ledger.close()


def test_texts_of_a_day_are_summed_over_models(path: Path) -> None:
    ledger = Ledger(path)
    for key in [("a", "m", 0), ("a", "n", 0), ("b", "m", 0), ("a", "m", 1)]:
        charge(ledger, *key)

    assert ledger.texts(0) == {"a": 4, "b": 2}
    ledger.close()


def test_what_cannot_be_saved_is_told_once_and_saved_later(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    ledger = Ledger(path)
    with sqlite3.connect(path) as other:
        other.execute("ALTER TABLE usage RENAME TO hidden")
    charge(ledger, "a", "m", 0, requests=3)
    ledger._save()
    ledger._save()
    assert (ledger.unsaved, "usage cannot be saved" in (ledger.problem or "")) == (3, True)

    with other:
        other.execute("ALTER TABLE hidden RENAME TO usage")
    other.close()
    ledger._save()

    assert (ledger.unsaved, ledger.problem, len(caplog.records)) == (0, None, 1)
    ledger.close()


def test_rows_that_cannot_be_read_are_refused(path: Path) -> None:
    ledger = Ledger(path)
    with sqlite3.connect(path) as other:
        other.execute("DROP TABLE usage")
    other.close()

    with pytest.raises(ServeError) as caught:
        ledger.rows()

    assert caught.value.code == "not_ready"
    ledger.close()


@pytest.mark.parametrize(
    ("content", "part"), [(b"not a database" * 100, "not a database"), (None, "Is a directory")]
)
def test_a_file_that_cannot_be_used_is_named(path: Path, content: bytes | None, part: str) -> None:
    path.mkdir() if content is None else path.write_bytes(content)

    with pytest.raises(TakerootError, match=f"{path}: cannot be used for usage: .*{part}"):
        Ledger(path)


@pytest.mark.parametrize("statement", ["CREATE TABLE other (x)", "PRAGMA user_version = 2"])
def test_another_programs_file_is_left_alone(path: Path, statement: str) -> None:
    with sqlite3.connect(path) as other:
        other.execute(statement)
    other.close()
    before = path.read_bytes()

    with pytest.raises(TakerootError, match="unknown; this version uses 1"):
        Ledger(path)

    assert path.read_bytes() == before


def test_a_damaged_file_is_refused_at_the_start(path: Path) -> None:
    ledger = Ledger(path)
    charge(ledger, "a", "m", 0)
    ledger.close()
    content = bytearray(path.read_bytes())
    content[4096 + 3 : 4096 + 9] = b"\xff" * 6
    path.write_bytes(content)

    with pytest.raises(TakerootError, match="cannot be used for usage"):
        Ledger(path)


def test_days_have_their_names() -> None:
    assert (day_name(0), day_name(20_089)) == ("1970-01-01", "2025-01-01")


def test_a_killed_server_keeps_all_that_was_saved_and_its_quota(tmp_path: Path, path: Path) -> None:
    tokens = tmp_path / "tokens.json"
    secret = create(tokens, "shop", ["predict"], lifetime=None, daily=10**9).secret
    before = 0
    for _ in range(2):
        saved, charged = work_until_killed(tokens, path, secret)
        gate = Gate(tokens, path, clock=lambda: 0.0)
        (kept,) = gate.usage()
        gate.close()
        requests = kept["requests"] - before
        assert 0 < saved <= requests <= charged + 1000
        assert kept == row("shop", "shop", "1970-01-01", kept["requests"])
        before = kept["requests"]

    gate = Gate(tokens, path, clock=lambda: 0.0)
    caller = gate.admit(f"Bearer {secret}", "predict")
    gate.check_quota(caller, 10**9 - 2 * before)
    with pytest.raises(ServeError, match="quota"):
        gate.check_quota(caller, 1)
    gate.close()


def work_until_killed(tokens: Path, usage: Path, secret: str) -> tuple[int, int]:
    """Requests saved, and charged, when the process that charges last told; then it is killed."""
    words = [sys.executable, "-c", WORK, str(tokens), str(usage)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(f"{secret}\n")
        child.stdin.flush()
        told = [0, 0]
        for line in child.stdout:
            told = json.loads(line)
            if told[0]:
                break
        child.kill()
        told = [json.loads(line) for line in child.stdout if line.endswith("\n")][-1:] or [told]
    assert child.returncode == -signal.SIGKILL
    saved, charged = told[-1]
    return saved, charged
