"""tokens.json (format 1): who may call the server, for what, how long and how much.

The file holds a SHA-256 of each secret, never the secret: 32 random bytes cannot be guessed from
their hash, so no salt or slow hash is needed. It is written whole, mode 0600, under a lock, so that
two commands at once lose nothing and a server never reads half of it.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from takeroot.errors import RecipeError, TakerootError
from takeroot.files import replacing
from takeroot.serve.limits import Rate

Scope = Literal["predict", "feedback", "models", "metrics", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
ANONYMOUS_NAME = "anonymous"
MAX_TOKENS = 1000  # every request is compared with each
SECRET = re.compile(
    r"tkr_[A-Za-z0-9_-]{43}", re.ASCII
)  # a prefix that secret scanners can look for

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", re.ASCII)
_LIFETIME = re.compile(r"([0-9]{1,6})([smhdw])")
_UNIT_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_LONGEST = timedelta(days=3653)
_MOST_TEXTS = 10**12
_MAX_BYTES = 1 << 20
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH

Signature = tuple[int, int, int, int, int]


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Token(_Closed):
    """What the file says of one token."""

    name: Annotated[str, StringConstraints(pattern=f"^{_NAME.pattern}$")]
    sha256: Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")] = Field(repr=False)
    scopes: tuple[Scope, ...] = Field(min_length=1, max_length=len(SCOPES))
    created: AwareDatetime
    expires: AwareDatetime | None
    revoked: AwareDatetime | None = None
    rate: Rate | None = None
    daily: int | None = Field(default=None, ge=1, le=_MOST_TEXTS)

    def state(self, now: datetime) -> str:
        """``active``, ``expired`` or ``revoked``."""
        if self.revoked is not None:
            return "revoked"
        return "expired" if self.expires is not None and now >= self.expires else "active"


class TokenFile(_Closed):
    """All of tokens.json."""

    format: Literal[1] = 1
    tokens: tuple[Token, ...] = Field(default=(), max_length=MAX_TOKENS)

    @model_validator(mode="after")
    def _unique(self) -> TokenFile:
        """Refuse two tokens of one name or secret, and the name of callers without a token."""
        for kind in ("name", "sha256"):
            if len({getattr(token, kind) for token in self.tokens}) < len(self.tokens):
                raise ValueError(f"two tokens have the same {kind}")
        if any(token.name == ANONYMOUS_NAME for token in self.tokens):
            raise ValueError(f"the name {ANONYMOUS_NAME!r} is taken by callers without a token")
        return self


@dataclass(frozen=True)
class Created:
    """A new token, and its secret, which is nowhere else."""

    token: Token
    secret: str = field(repr=False)


def create(
    path: Path,
    name: str,
    scopes: Iterable[str],
    *,
    lifetime: timedelta | None,
    rate: Rate | None = None,
    daily: int | None = None,
    now: datetime | None = None,
) -> Created:
    """Add a token with a new random secret; the file is made where there is none.

    Args:
        path: tokens.json.
        name: New, also among the revoked ones, because usage is counted by name.
        scopes: Some of ``SCOPES``.
        lifetime: Until it expires; None for never.
        rate: Requests a second; None for any.
        daily: Texts a UTC day; None for any.
        now: The time it counts from; the present.

    Raises:
        RecipeError: If a value cannot be used.
        TakerootError: If the file cannot be read or written.
    """
    now = _present(now)
    asked = set(scopes)
    _check(name, asked, lifetime, daily)
    secret = "tkr_" + secrets.token_urlsafe(32)
    token = Token(
        name=name,
        sha256=digest(secret).hex(),
        scopes=tuple(scope for scope in SCOPES if scope in asked),
        created=now,
        expires=None if lifetime is None else now + lifetime,
        rate=rate,
        daily=daily,
    )
    with _locked(path) as file:
        there = read(file).tokens if file.exists() else ()
        for other in there:
            if other.name == name:
                raise RecipeError(
                    f"name {name!r}: {path} has it ({other.state(now)}); take another"
                )
        if len(there) == MAX_TOKENS:
            raise RecipeError(f"{path}: has {MAX_TOKENS} tokens, the most; remove revoked ones")
        _write(file, TokenFile(tokens=(*there, token)))
    return Created(token, secret)


def revoke(path: Path, name: str, now: datetime | None = None) -> Token:
    """Revoke a token; one that was revoked before keeps its time.

    Raises:
        RecipeError: If there is no such token.
        TakerootError: If the file cannot be read or written.
    """
    with _locked(path) as file:
        there = {token.name: token for token in read(file).tokens}
        if name not in there:
            known = ", ".join(there) or "none"
            raise RecipeError(f"name {name!r}: not in {path}; there: {known}")
        if there[name].revoked is None:
            there[name] = there[name].model_copy(update={"revoked": _present(now)})
            _write(file, TokenFile(tokens=tuple(there.values())))
        return there[name]


def read(path: Path) -> TokenFile:
    """What the file says.

    Raises:
        TakerootError: If it cannot be read or may be written by others, or breaks the schema. The
            message quotes nothing of the file: somebody may have put a secret there.
    """
    return read_signed(path)[0]


def read_signed(path: Path) -> tuple[TokenFile, Signature]:
    """What the file says, and the signature of just what was read."""
    try:
        with open(path, "rb", opener=_open_at_once) as file:
            state = os.fstat(file.fileno())
            _check_kind(path, state)
            data = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise TakerootError(f"{path}: cannot be read: {error.strerror or error}") from error
    if len(data) > _MAX_BYTES:
        raise TakerootError(f"{path}: larger than {_MAX_BYTES} bytes, the most")
    try:
        return TokenFile.model_validate_json(data), _signature(state)
    except ValidationError as error:
        first = error.errors(include_input=False, include_context=False)[0]
        key = ".".join(str(part) for part in first["loc"] if len(str(part)) <= 32)
        raise TakerootError(f"{path}: {key or 'file'}: {first['msg']}") from None


def look(path: Path) -> Signature:
    """The file's signature now.

    Raises:
        TakerootError: If the file system does not give it.
    """
    try:
        return _signature(path.stat())
    except OSError as error:
        raise TakerootError(f"{path}: cannot be read: {error.strerror or error}") from error


def digest(secret: str) -> bytes:
    """The 32 bytes by which a secret is known."""
    return hashlib.sha256(secret.encode("ascii")).digest()


def parse_lifetime(text: str) -> timedelta | None:
    """The time that ``90d``, ``12h``, ``2w`` stands for; None for ``never``.

    Raises:
        RecipeError: If it is none of these.
    """
    if text.strip() == "never":
        return None
    found = _LIFETIME.fullmatch(text.strip())
    if found is None:
        raise RecipeError(f"expires {text!r}: write a time such as 90d, 12h, 2w, or never")
    return timedelta(seconds=int(found[1]) * _UNIT_S[found[2]])


def _check(name: str, scopes: set[str], lifetime: timedelta | None, daily: int | None) -> None:
    """Refuse what a token cannot have."""
    if not _NAME.fullmatch(name) or name == ANONYMOUS_NAME:
        raise RecipeError(
            f"name {name[:80]!r}: take up to 64 letters, digits, '_', '.', '-', the first a letter "
            f"or digit; not {ANONYMOUS_NAME!r}"
        )
    unknown = sorted(scopes - set(SCOPES))
    if unknown or not scopes:
        raise RecipeError(f"scope {', '.join(unknown)!r}: known are {', '.join(SCOPES)}")
    if lifetime is not None and not timedelta(0) < lifetime <= _LONGEST:
        raise RecipeError(f"expires in {lifetime}: must be above 0 and at most 3653d (ten years)")
    if daily is not None and not 1 <= daily <= _MOST_TEXTS:
        raise RecipeError(f"daily {daily}: must be from 1 to {_MOST_TEXTS} texts")


def _signature(state: os.stat_result) -> Signature:
    """What changes when a file does: by renaming, by writing, or in its rights."""
    return state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns


def _open_at_once(path: str, flags: int) -> int:
    """A file descriptor; a named pipe, too, is opened without waiting for its writer."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _check_kind(path: Path, state: os.stat_result) -> None:
    """Refuse what is no plain file, or one to which others may add a token."""
    if not stat.S_ISREG(state.st_mode):
        raise TakerootError(f"{path}: is not a file")
    if os.name == "posix" and state.st_mode & _OTHERS_WRITE:
        raise TakerootError(f"{path}: others may write to it; run: chmod 600 {path}")


@contextmanager
def _locked(path: Path) -> Iterator[Path]:
    """The file itself, behind links, while no other process changes a token file beside it."""
    import fcntl  # not on Windows, where a server may still read the file

    file = path.resolve()
    try:  # the folder is locked, not the file: that is another one after each change
        handle = os.open(file.parent, os.O_RDONLY)
    except OSError as error:
        raise TakerootError(f"{path}: cannot be written: {error.strerror}") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield file
    finally:
        os.close(handle)


def _write(file: Path, content: TokenFile) -> None:
    """Replace the file, for its owner only; root leaves it to the one who had it."""
    owner = file.stat() if file.exists() else None
    with replacing(file) as temporary:
        temporary.chmod(0o600)
        if owner is not None and os.name == "posix" and os.geteuid() == 0:
            os.chown(temporary, owner.st_uid, owner.st_gid)
        temporary.write_text(content.model_dump_json(indent=1) + "\n", encoding="utf-8")


def _present(now: datetime | None) -> datetime:
    """The time in whole seconds, UTC."""
    return (now or datetime.now(UTC)).astimezone(UTC).replace(microsecond=0)
