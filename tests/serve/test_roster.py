"""The token list in force follows its file, and outlives a broken one."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from takeroot.errors import TakerootError
from takeroot.serve.roster import Roster
from takeroot.serve.tokens import create, digest, revoke

DAY = timedelta(days=1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tokens.json"


@pytest.fixture
def secret(path: Path) -> str:
    """Of the first token, shop."""
    return create(path, "shop", ["predict"], lifetime=DAY).secret


def known(roster: Roster, secret: str, now: float) -> bool:
    return roster.tokens(now).find(digest(secret)) is not None


@contextmanager
def no_more_files() -> Iterator[None]:
    """In the block no file can be opened."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.open(os.devnull, os.O_RDONLY)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_each_secret_finds_its_own_token(path: Path) -> None:
    names = [f"t{number}" for number in range(5)]
    made = [create(path, name, ["predict"], lifetime=DAY) for name in names]
    tokens = Roster(path).tokens(0)

    found = [tokens.find(digest(each.secret)) for each in made]
    assert [entry and entry.caller.name for entry in found] == names
    assert tokens.find(digest("tkr_" + "a" * 43)) is None


def test_a_file_without_tokens_lets_nobody_in(path: Path) -> None:
    path.write_text('{"format": 1, "tokens": []}')
    path.chmod(0o600)

    assert not known(Roster(path), "tkr_" + "a" * 43, 0)


def test_a_server_does_not_start_without_its_file(path: Path) -> None:
    with pytest.raises(TakerootError, match="cannot be read: No such file"):
        Roster(path)


def test_a_revoked_token_is_refused_a_second_later(path: Path, secret: str) -> None:
    roster = Roster(path)
    assert known(roster, secret, 100)
    revoke(path, "shop")

    assert known(roster, secret, 100.9)
    assert not known(roster, secret, 101)


def test_a_new_token_is_known_a_second_later(path: Path, secret: str) -> None:
    roster = Roster(path)
    roster.tokens(100)
    other = create(path, "depot", ["predict"], lifetime=DAY).secret

    assert known(roster, other, 101)
    assert known(roster, secret, 101)


def test_a_clock_set_back_does_not_delay_a_revocation(path: Path, secret: str) -> None:
    roster = Roster(path)
    roster.tokens(1_000_000)
    revoke(path, "shop")

    assert not known(roster, secret, 5)


def test_an_unchanged_file_is_not_read_again(path: Path, secret: str) -> None:
    roster = Roster(path)
    before = roster.tokens(100)

    assert roster.tokens(200) is before


@pytest.mark.parametrize("content", ["{", '{"format": 9, "tokens": []}', ""])
def test_a_broken_file_keeps_the_last_good_list_and_is_told(
    path: Path, secret: str, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    roster = Roster(path)
    path.write_text(content)

    assert all(known(roster, secret, now) for now in (100, 200, 300))
    assert str(path) in (roster.problem or "")
    assert len(caplog.records) == 1


def test_a_file_that_is_gone_keeps_the_last_good_list_and_is_told(path: Path, secret: str) -> None:
    roster = Roster(path)
    path.rename(path.with_name("away"))

    assert known(roster, secret, 100)
    assert "No such file" in (roster.problem or "")


def test_a_lasting_problem_is_logged_once(
    path: Path, secret: str, caplog: pytest.LogCaptureFixture
) -> None:
    roster = Roster(path)
    path.unlink()
    for now in (100, 101, 102):
        roster.tokens(now)

    assert len(caplog.records) == 1


def test_a_link_that_comes_back_to_the_same_file_is_no_problem_any_more(
    path: Path, secret: str
) -> None:
    link = path.with_name("link")
    link.symlink_to(path)
    roster = Roster(link)
    link.unlink()
    roster.tokens(100)
    link.symlink_to(path)

    assert known(roster, secret, 101)
    assert roster.problem is None


def test_a_file_that_comes_back_is_no_problem_any_more(path: Path, secret: str) -> None:
    roster = Roster(path)
    away = path.rename(path.with_name("away"))
    roster.tokens(100)
    away.rename(path)

    assert known(roster, secret, 101)
    assert roster.problem is None


def test_a_mended_file_is_in_force_again(path: Path, secret: str) -> None:
    roster = Roster(path)
    good = path.read_text()
    path.write_text("{")
    roster.tokens(100)
    path.write_text(good)
    revoke(path, "shop")

    assert not known(roster, secret, 101)
    assert roster.problem is None


def test_a_secret_that_only_a_broken_file_has_is_refused(path: Path, secret: str) -> None:
    roster = Roster(path)
    other = create(path, "depot", ["predict"], lifetime=DAY).secret
    path.write_text(path.read_text() + "!")

    assert not known(roster, other, 100)
    assert known(roster, secret, 100)


def test_a_file_that_others_may_write_is_not_taken(path: Path, secret: str) -> None:
    roster = Roster(path)
    other = create(path, "depot", ["predict"], lifetime=DAY).secret
    path.chmod(0o666)

    assert not known(roster, other, 100)
    assert "others may write" in (roster.problem or "")


def test_a_revocation_is_not_missed_for_want_of_a_file_handle(path: Path, secret: str) -> None:
    roster = Roster(path)
    revoke(path, "shop")
    with no_more_files():
        assert known(roster, secret, 100)
        assert "Too many open files" in (roster.problem or "")

    assert not known(roster, secret, 101)
    assert roster.problem is None
