"""The tokens in force: read from the file at the start, and again whenever it changes.

A changed file that cannot be used does not lock everybody out: the last good list stays, so no new
secret is let in, and ``problem`` says so. This is safe because ``takeroot token revoke`` refuses
such a file, too: nobody is told that a token is revoked while it is not.
"""

from __future__ import annotations

import hmac
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import repeat
from operator import mul
from pathlib import Path
from threading import Lock

from takeroot.errors import TakerootError
from takeroot.serve.limits import Rate
from takeroot.serve.tokens import Signature, Token, look, read_signed

_LOG = logging.getLogger(__name__)
_LOOK_EVERY_S = 1.0


@dataclass(frozen=True)
class Caller:
    """Who asks, and what for it may ask."""

    name: str
    scopes: frozenset[str]


@dataclass(frozen=True)
class Entry:
    """One token as requests need it.

    Args:
        caller: Its name and scopes.
        expires: Seconds since 1970; None for never.
        rate: Requests a second; None for any.
        daily: Texts a UTC day; None for any.
    """

    caller: Caller
    expires: float | None
    rate: Rate | None
    daily: int | None


class Tokens:
    """The tokens of one file at one time; revoked ones are left out."""

    def __init__(self, tokens: tuple[Token, ...]) -> None:
        kept = [token for token in tokens if token.revoked is None]
        self._digests = [bytes.fromhex(token.sha256) for token in kept]
        self._places = range(1, len(kept) + 1)
        self._entries: list[Entry | None] = [None, *map(_entry, kept)]
        self.by_name: Mapping[str, Entry] = {e.caller.name: e for e in self._entries if e}

    def find(self, digest: bytes) -> Entry | None:
        """The token whose secret has this digest, in a time that depends on neither."""
        matches = map(hmac.compare_digest, self._digests, repeat(digest))
        place: int = sum(map(mul, matches, self._places))
        return self._entries[place]  # place 0 is None


class Roster:
    """The tokens of a file, kept up to date.

    Args:
        path: tokens.json.

    Raises:
        TakerootError: If the file cannot be used at the start.
    """

    def __init__(self, path: Path) -> None:
        self.problem: str | None = None
        self._path = path
        self._lock = Lock()
        self._looked = -_LOOK_EVERY_S
        self._seen: Signature | None
        file, self._seen = read_signed(path)
        self._tokens = Tokens(file.tokens)

    def tokens(self, now: float) -> Tokens:
        """The tokens in force at ``now`` (seconds); looks at the file at most once a second."""
        since = now - self._looked
        if since >= _LOOK_EVERY_S or since < 0:  # or the clock was set back
            with self._lock:
                self._looked = now
                self._look()
        return self._tokens

    def _look(self) -> None:
        """Read the file if it is another one than last time."""
        try:
            if look(self._path) == self._seen:
                return
            file, self._seen = read_signed(self._path)
        except TakerootError as error:
            self._seen = None  # try again, even if the file stays as it is
            self._tell(str(error))
        else:
            self._tokens = Tokens(file.tokens)
            self._tell(None)

    def _tell(self, problem: str | None) -> None:
        """Remember a problem and log it once."""
        if problem is not None and problem != self.problem:
            _LOG.error("%s; the tokens read before stay in force", problem)
        self.problem = problem


def _entry(token: Token) -> Entry:
    """What requests need of a token."""
    return Entry(
        caller=Caller(token.name, frozenset(token.scopes)),
        expires=None if token.expires is None else token.expires.timestamp(),
        rate=token.rate,
        daily=token.daily,
    )
