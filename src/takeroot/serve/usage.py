"""What each token used: requests, texts, tokens and compute time by model and UTC day.

Charging adds to a row in memory. A thread adds what is new to a small SQLite file twice a second,
so a killed process loses less than the last second, and the request path never waits for a disk.
Several servers may share one file: rows are added to, not replaced.
"""

from __future__ import annotations

import logging
import os
import sqlite3
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any

from takeroot.errors import TakerootError
from takeroot.serve.faults import ServeError

_LOG = logging.getLogger(__name__)
_FORMAT = 1
_EVERY_S = 0.5
_EPOCH = date(1970, 1, 1)
_TABLE = """
CREATE TABLE IF NOT EXISTS usage (
    token TEXT NOT NULL, model TEXT NOT NULL, day TEXT NOT NULL,
    requests INTEGER NOT NULL, texts INTEGER NOT NULL, tokens INTEGER NOT NULL,
    compute_ms REAL NOT NULL, PRIMARY KEY (token, model, day)
) WITHOUT ROWID
"""
_ADD = """
INSERT INTO usage VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (token, model, day) DO UPDATE SET
    requests = requests + excluded.requests, texts = texts + excluded.texts,
    tokens = tokens + excluded.tokens, compute_ms = compute_ms + excluded.compute_ms
"""

Key = tuple[str, str, int]  # token, model, day since 1970


@dataclass(slots=True)
class Sums:
    """What one row adds up to."""

    requests: int = 0
    texts: int = 0
    tokens: int = 0
    compute_ms: float = 0.0

    def add(self, other: Sums) -> None:
        """Count ``other`` in."""
        self.requests += other.requests
        self.texts += other.texts
        self.tokens += other.tokens
        self.compute_ms += other.compute_ms


class Ledger:
    """The usage of all tokens. Every method may be called from any thread.

    Args:
        path: SQLite file, made where there is none; None to keep the rows in memory only.

    Raises:
        TakerootError: If the file cannot be used.
    """

    def __init__(self, path: Path | None) -> None:
        self.problem: str | None = None
        self._path = path
        self._new: dict[Key, Sums] = {}
        self._all: dict[tuple[str, str], Sums] = {}  # by token and model, since the start
        self._new_lock = Lock()  # held for a moment only
        self._store_lock = Lock()  # held while the disk is waited for; taken before the other
        self._store = None if path is None else _open(path)
        self._closing = Event()
        self._saver = Thread(target=self._save_often, name="takeroot-usage", daemon=True)
        if path is not None:
            self._saver.start()

    def charge(self, key: Key, texts: int, tokens: int, compute_ms: float) -> None:
        """Count one request."""
        used = Sums(1, texts, tokens, compute_ms)
        with self._new_lock:
            self._new.setdefault(key, Sums()).add(used)
            self._all.setdefault(key[:2], Sums()).add(used)

    def rows(self, since: str | None = None) -> list[dict[str, Any]]:
        """Every row, by day, token and model; it may wait for the disk.

        Args:
            since: First day wanted, as ``2025-01-31``.

        Raises:
            ServeError: If the file cannot be read now (not_ready).
        """
        since = since or ""
        totals: dict[tuple[str, str, str], Sums] = {}
        with self._store_lock:  # no save happens between the two parts
            for token, model, day, *saved in self._saved(since):
                totals[day, token, model] = Sums(*saved)
            with self._new_lock:
                for (token, model, number), sums in self._new.items():
                    day = day_name(number)
                    if day >= since:
                        totals.setdefault((day, token, model), Sums()).add(sums)
        return [_row(*key, totals[key]) for key in sorted(totals)]

    def texts(self, day: int) -> dict[str, int]:
        """Texts of each token on a day."""
        counted: dict[str, int] = {}
        name = day_name(day)
        for row in self.rows(name):
            if row["day"] == name:
                counted[row["token"]] = counted.get(row["token"], 0) + row["texts"]
        return counted

    def totals(self) -> list[tuple[str, str, Sums]]:
        """Token, model and what was used since the process started; no disk is waited for."""
        with self._new_lock:
            return [(*key, replace(sums)) for key, sums in sorted(self._all.items())]

    @property
    def unsaved(self) -> int:
        """Requests that are not in the file yet."""
        with self._store_lock, self._new_lock:
            return sum(sums.requests for sums in self._new.values())

    def close(self) -> None:
        """Save what is new and let go of the file; calling it again does nothing."""
        self._closing.set()
        if self._saver.is_alive():
            self._saver.join()
        self._save()
        with self._store_lock:
            if self._store is not None:
                self._store.close()
                self._store = None

    def _save_often(self) -> None:
        """The thread: save until closed."""
        while not self._closing.wait(_EVERY_S):
            self._save()

    def _save(self) -> None:
        """Add what is new to the file; on an error it stays new and is tried again."""
        with self._store_lock:
            if self._store is None:
                return
            with self._new_lock:
                batch, self._new = self._new, {}
            if not batch:
                return
            try:
                _add(self._store, batch)
            except sqlite3.Error as error:
                with self._new_lock:
                    for key, sums in batch.items():
                        self._new.setdefault(key, Sums()).add(sums)
                self._tell(f"{self._path}: usage cannot be saved: {error}")
            else:
                self._tell(None)

    def _tell(self, problem: str | None) -> None:
        """Remember a problem and log it once."""
        if problem is not None and problem != self.problem:
            _LOG.error("%s", problem)
        self.problem = problem

    def _saved(self, since: str) -> list[tuple[Any, ...]]:
        """Rows of the file."""
        if self._store is None:
            return []
        try:
            return self._store.execute("SELECT * FROM usage WHERE day >= ?", (since,)).fetchall()
        except sqlite3.Error as error:
            _LOG.error("%s: usage cannot be read: %s", self._path, error)
            raise ServeError("not_ready") from error


def day_name(day: int) -> str:
    """``1970-01-01`` for 0."""
    return (_EPOCH + timedelta(days=day)).isoformat()


def _row(day: str, token: str, model: str, sums: Sums) -> dict[str, Any]:
    """One row as /v1/usage shows it."""
    return {
        "token": token,
        "model": model,
        "day": day,
        "requests": sums.requests,
        "texts": sums.texts,
        "tokens": sums.tokens,
        "compute_ms": round(sums.compute_ms, 3),
    }


def _open(path: Path) -> sqlite3.Connection:
    """The file, for its owner only, with the table."""
    store = None
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        store = sqlite3.connect(path, timeout=5, isolation_level=None, check_same_thread=False)
        _check(store)
        store.execute("PRAGMA journal_mode = WAL")
        store.execute("PRAGMA synchronous = FULL")  # a charge that was saved survives a power cut
        with store:
            store.execute("BEGIN IMMEDIATE")
            store.execute(_TABLE)
            store.execute(f"PRAGMA user_version = {_FORMAT}")
    except (OSError, sqlite3.Error) as error:
        if store is not None:
            store.close()
        cause = getattr(error, "strerror", None) or error
        raise TakerootError(f"{path}: cannot be used for usage: {cause}") from error
    return store


def _check(store: sqlite3.Connection) -> None:
    """Refuse a damaged file, another program's, and one of a later version."""
    (damage,) = store.execute("PRAGMA quick_check(1)").fetchone()
    if damage != "ok":
        raise sqlite3.DatabaseError(f"damaged: {damage}")
    (version,) = store.execute("PRAGMA user_version").fetchone()
    (tables,) = store.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if version != _FORMAT and (version, tables) != (0, 0):
        raise sqlite3.DatabaseError(f"format {version} is unknown; this version uses {_FORMAT}")


def _add(store: sqlite3.Connection, batch: dict[Key, Sums]) -> None:
    """Add all rows or none."""
    rows = [
        (token, model, day_name(day), sums.requests, sums.texts, sums.tokens, sums.compute_ms)
        for (token, model, day), sums in batch.items()
    ]
    try:
        store.execute("BEGIN IMMEDIATE")
        store.executemany(_ADD, rows)
        store.execute("COMMIT")
    except sqlite3.Error:
        with suppress(sqlite3.Error):
            store.execute("ROLLBACK")
        raise
