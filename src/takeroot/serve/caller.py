"""Who calls, and whether they may: tokens, scopes, rates, quotas and what each used."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any

from takeroot.serve.faults import ServeError
from takeroot.serve.limits import DAY_S, Bucket, Quotas, Rate
from takeroot.serve.roster import Caller, Entry, Roster
from takeroot.serve.tokens import ANONYMOUS_NAME, SCOPES, SECRET, digest
from takeroot.serve.usage import Ledger, Sums

__all__ = ["ANONYMOUS", "SCOPES", "Caller", "Gate", "bearer"]

ANONYMOUS = Caller(ANONYMOUS_NAME, frozenset(SCOPES))
_BEARER = re.compile(rf"[Bb][Ee][Aa][Rr][Ee][Rr] +({SECRET.pattern})", re.ASCII)


class Gate:
    """Decides on every request. Every method may be called from any thread.

    Times are seconds since 1970. Rates and quotas count for this process; usage may be shared.

    Args:
        tokens: tokens.json; None lets everybody do everything, as ``ANONYMOUS``.
        usage: SQLite file of what was used; None keeps it in memory.
        clock: Gives the time.

    Raises:
        TakerootError: If a file cannot be used.
    """

    def __init__(
        self,
        tokens: Path | None,
        usage: Path | None = None,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._clock = clock
        self._roster = None if tokens is None else Roster(tokens)
        self._ledger = Ledger(usage)
        self._buckets: dict[str, Bucket] = {}
        self._bucket_lock = Lock()
        today = self._day()
        self._quotas = Quotas(self._ledger.texts(today), today)

    def admit(self, authorization: str | None, scope: str, now: float | None = None) -> Caller:
        """The caller, if it may use ``scope`` now; counts as one request of its rate.

        Args:
            authorization: The header, ``Bearer SECRET``.
            scope: One of ``SCOPES``; no scope includes another.
            now: The time, if not the clock's.

        Raises:
            ServeError: unauthenticated (also where the token is expired or revoked), forbidden,
                rate_limited.
        """
        if self._roster is None:
            return _allowed(ANONYMOUS, scope)
        now = self._clock() if now is None else now
        entry = self._find(self._roster, authorization, now)
        _allowed(entry.caller, scope)
        if entry.rate is not None:
            self._pace(entry.caller.name, entry.rate, now)
        return entry.caller

    def check_quota(self, caller: Caller, texts: int) -> None:
        """Take ``texts`` from the caller's quota of today, before the work.

        They are taken at once, so that requests side by side cannot exceed it together.

        Raises:
            ServeError: quota_exhausted, with the seconds to midnight UTC; unauthenticated if the
                token is gone.
        """
        now = self._clock()
        limit = self._daily(caller, now)
        if not self._quotas.take(caller.name, texts, limit, int(now // DAY_S)):
            raise ServeError("quota_exhausted", limit=limit, retry_after_s=DAY_S - now % DAY_S)

    def give_back(self, caller: Caller, texts: int) -> None:
        """Return what ``check_quota`` took, because the work was not done."""
        self._quotas.give_back(caller.name, texts, self._day())

    def charge(
        self, caller: Caller, model: str, texts: int, tokens: int, compute_ms: float
    ) -> None:
        """Count an answered request of today."""
        self._ledger.charge((caller.name, model, self._day()), texts, tokens, compute_ms)

    def usage(self, since: str | None = None) -> list[dict[str, Any]]:
        """Rows {token, model, day, requests, texts, tokens, compute_ms}, by day, token, model.

        It waits for the disk: call it beside the event loop.

        Args:
            since: First day wanted, as ``2025-01-31``; all days if None.

        Raises:
            ServeError: not_ready, if the file cannot be read now.
        """
        return self._ledger.rows(since)

    def totals(self) -> list[tuple[str, str, Sums]]:
        """Token, model and what was used since the process started; no disk is waited for."""
        return self._ledger.totals()

    @property
    def problem(self) -> str | None:
        """What keeps tokens or usage from being up to date; for operators, None if nothing."""
        if self._roster is not None:
            self._roster.tokens(self._clock())
            if self._roster.problem is not None:
                return self._roster.problem
        return self._ledger.problem

    @property
    def unsaved(self) -> int:
        """Requests whose usage is in memory only."""
        return self._ledger.unsaved

    def close(self) -> None:
        """Save the usage and end the thread that does."""
        self._ledger.close()

    def _find(self, roster: Roster, authorization: str | None, now: float) -> Entry:
        """The token whose secret the header holds."""
        secret = bearer(authorization)
        entry = None if secret is None else roster.tokens(now).find(digest(secret))
        if entry is None or (entry.expires is not None and now >= entry.expires):
            raise ServeError("unauthenticated")
        return entry

    def _pace(self, name: str, rate: Rate, now: float) -> None:
        """Refuse a request that comes too fast."""
        with self._bucket_lock:
            bucket = self._buckets.get(name)
            if bucket is None:
                bucket = self._buckets[name] = Bucket()
            wait_s = bucket.take(rate, now)
        if wait_s > 0:
            raise ServeError("rate_limited", limit=f"{rate.per_s:g}", retry_after_s=wait_s)

    def _daily(self, caller: Caller, now: float) -> int | None:
        """Texts a day the caller may have; None for any."""
        if self._roster is None:
            return None
        entry = self._roster.tokens(now).by_name.get(caller.name)
        if entry is None:
            raise ServeError("unauthenticated")
        return entry.daily

    def _day(self) -> int:
        """Today, in days since 1970, UTC."""
        return int(self._clock() // DAY_S)


def bearer(authorization: str | None) -> str | None:
    """The secret in an Authorization header; None if the header has not exactly our form."""
    found = None if authorization is None else _BEARER.fullmatch(authorization)
    return None if found is None else found[1]


def _allowed(caller: Caller, scope: str) -> Caller:
    """The caller, if it has the scope."""
    if scope not in caller.scopes:
        raise ServeError("forbidden", scope=scope)
    return caller
