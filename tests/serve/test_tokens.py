"""The token file: what is written, what is refused, and that no secret and no token gets lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from takeroot.errors import RecipeError, TakerootError
from takeroot.serve.limits import Rate
from takeroot.serve.tokens import SCOPES, SECRET, create, digest, parse_lifetime, read, revoke

NOW = datetime(2025, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
CREATE = """
import sys
from pathlib import Path
from takeroot.serve.tokens import create
sys.stdin.read(1)
for number in range(10):
    create(Path(sys.argv[1]), f"{sys.argv[2]}-{number}", ["predict"], lifetime=None)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tokens.json"


def put(path: Path, **changes: Any) -> Path:
    """A file of one token, with changes."""
    token = {"name": "shop", "sha256": "0" * 64, "scopes": ["predict"]}
    token |= {"created": "2025-01-01T00:00:00Z", "expires": None} | changes
    path.write_text(json.dumps({"format": 1, "tokens": [token]}))
    path.chmod(0o600)
    return path


def test_a_token_is_kept_with_all_it_was_given(path: Path) -> None:
    rate = Rate(per_s=50, burst=80)
    made = create(path, "shop", ["predict"], lifetime=DAY, rate=rate, daily=1000, now=NOW)

    (kept,) = read(path).tokens
    assert kept == made.token
    assert (kept.name, kept.scopes, kept.rate, kept.daily) == ("shop", ("predict",), rate, 1000)
    assert (kept.created, kept.expires, kept.revoked) == (NOW, NOW + DAY, None)


def test_a_secret_is_new_long_and_recognisable(path: Path) -> None:
    found = {create(path, f"t{n}", ["predict"], lifetime=DAY).secret for n in range(20)}

    assert len(found) == 20
    assert all(SECRET.fullmatch(secret) for secret in found)


def test_the_file_holds_the_hash_and_never_the_secret(path: Path) -> None:
    made = create(path, "shop", ["predict"], lifetime=DAY)

    assert digest(made.secret).hex() in path.read_text()
    assert made.secret.removeprefix("tkr_") not in path.read_text() + repr(made) + str(made)


def test_the_file_is_for_its_owner_only(path: Path) -> None:
    create(path, "shop", ["predict"], lifetime=DAY)
    path.chmod(0o644)
    create(path, "depot", ["predict"], lifetime=DAY)

    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["tokens.json"]


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root may give files away")
def test_root_leaves_the_file_to_its_owner(path: Path) -> None:
    create(path, "shop", ["predict"], lifetime=DAY)
    os.chown(path, 65534, 65534)
    create(path, "depot", ["predict"], lifetime=DAY)

    assert (path.stat().st_uid, path.stat().st_gid) == (65534, 65534)


def test_a_link_stays_a_link(path: Path) -> None:
    real = path.with_name("real.json")
    path.symlink_to(real)
    create(path, "shop", ["predict"], lifetime=DAY)

    assert path.is_symlink()
    assert [token.name for token in read(real).tokens] == ["shop"]


def test_scopes_are_kept_once_and_in_one_order(path: Path) -> None:
    made = create(path, "shop", [*reversed(SCOPES), "admin"], lifetime=DAY)

    assert made.token.scopes == SCOPES


def test_a_token_may_live_for_ever(path: Path) -> None:
    assert create(path, "shop", ["predict"], lifetime=None).token.expires is None


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"name": ""}, "name ''"),
        ({"name": "a b"}, "name 'a b'"),
        ({"name": "-a"}, "name '-a'"),
        ({"name": "a\n"}, "name 'a"),
        ({"name": "店"}, "name '店'"),
        ({"name": "a" * 65}, "up to 64"),
        ({"name": "anonymous"}, "not 'anonymous'"),
        ({"scopes": []}, "known are predict, feedback"),
        ({"scopes": ["predict", "root"]}, "scope 'root'"),
        ({"lifetime": timedelta(0)}, "expires"),
        ({"lifetime": timedelta(days=5000)}, "ten years"),
        ({"daily": 0}, "daily 0"),
        ({"daily": -5}, "daily -5"),
        ({"daily": 10**13}, "daily"),
    ],
)
def test_what_a_token_cannot_have_is_refused_and_nothing_written(
    path: Path, changes: dict[str, Any], part: str
) -> None:
    wanted = {"name": "shop", "scopes": ["predict"], "lifetime": DAY} | changes

    with pytest.raises(RecipeError, match=part) as caught:
        create(path, wanted.pop("name"), wanted.pop("scopes"), **wanted)

    assert "\n" not in str(caught.value)
    assert not path.exists()


def test_a_name_is_given_once_even_after_it_was_revoked(path: Path) -> None:
    create(path, "shop", ["predict"], lifetime=DAY)
    revoke(path, "shop")

    with pytest.raises(RecipeError, match=r"has it \(revoked\)"):
        create(path, "shop", ["predict"], lifetime=DAY)


def test_a_full_file_takes_no_more(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("takeroot.serve.tokens.MAX_TOKENS", 1)
    create(path, "shop", ["predict"], lifetime=DAY)

    with pytest.raises(RecipeError, match="has 1 tokens, the most"):
        create(path, "depot", ["predict"], lifetime=DAY)


def test_revoking_marks_one_token_and_keeps_its_first_time(path: Path) -> None:
    for name in ("shop", "depot"):
        create(path, name, ["predict"], lifetime=DAY, now=NOW)
    revoke(path, "shop", NOW)
    revoke(path, "shop", NOW + DAY)

    assert [(token.name, token.revoked) for token in read(path).tokens] == [
        ("shop", NOW),
        ("depot", None),
    ]


def test_revoking_an_unknown_name_lists_the_known(path: Path) -> None:
    create(path, "shop", ["predict"], lifetime=DAY)

    with pytest.raises(RecipeError, match=r"'shp': not in .*; there: shop"):
        revoke(path, "shp")


@pytest.mark.parametrize(
    ("revoked", "after", "state"),
    [(None, 0, "active"), (None, 1, "expired"), (NOW, 0, "revoked"), (NOW, 1, "revoked")],
)
def test_state_of_a_token(path: Path, revoked: datetime | None, after: int, state: str) -> None:
    made = create(path, "shop", ["predict"], lifetime=DAY, now=NOW)
    token = made.token.model_copy(update={"revoked": revoked})

    assert token.state(NOW + after * DAY) == state


@pytest.mark.parametrize(
    ("text", "lifetime"),
    [
        ("90d", 90 * DAY),
        ("12h", DAY / 2),
        ("2w", 14 * DAY),
        ("30m", timedelta(minutes=30)),
        ("45s", timedelta(seconds=45)),
        ("never", None),
    ],
)
def test_a_lifetime_is_read(text: str, lifetime: timedelta | None) -> None:
    assert parse_lifetime(text) == lifetime


@pytest.mark.parametrize("text", ["", "90", "d", "-1d", "1.5d", "90 days", "９d", "9999999d"])
def test_what_is_no_lifetime_is_refused(text: str) -> None:
    with pytest.raises(RecipeError, match="90d, 12h, 2w, or never"):
        parse_lifetime(text)


@pytest.mark.parametrize(
    ("content", "part"),
    [
        ("", "Invalid JSON"),
        ("[]", "file: "),
        ('{"format": 2, "tokens": []}', "format: "),
        ('{"format": 1, "tokens": [], "more": 1}', "more: Extra inputs"),
        ('{"format": 1, "tokens": [{}]}', "tokens.0.name: Field required"),
    ],
)
def test_a_file_of_another_form_is_refused(path: Path, content: str, part: str) -> None:
    path.write_text(content)
    path.chmod(0o600)

    with pytest.raises(TakerootError, match=part) as caught:
        read(path)

    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "a b"},
        {"name": "anonymous"},
        {"sha256": "0" * 63},
        {"sha256": "G" * 64},
        {"scopes": []},
        {"scopes": ["root"]},
        {"created": "yesterday"},
        {"expires": "2025-01-01T00:00:00"},
        {"expires": 5},
        {"rate": {"per_s": 0, "burst": 1}},
        {"rate": {"per_s": 1, "burst": 0}},
        {"rate": {"per_s": "1", "burst": 1}},
        {"daily": 0},
        {"daily": 1.5},
        {"password": "x"},
    ],
)
def test_a_token_that_breaks_the_schema_is_refused(path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(TakerootError, match=str(path)):
        read(put(path, **changes))


@pytest.mark.parametrize("key", ["name", "sha256"])
def test_two_tokens_of_one_name_or_secret_are_refused(path: Path, key: str) -> None:
    content = json.loads(put(path).read_text())
    other = {"name": "depot", "sha256": "1" * 64}
    other[key] = content["tokens"][0][key]
    content["tokens"].append(content["tokens"][0] | other)
    path.write_text(json.dumps(content))

    with pytest.raises(TakerootError, match=f"same {key}"):
        read(path)


@pytest.mark.parametrize("key", ["name", "sha256", "scopes", "expires", "rate", "daily", "secret"])
def test_a_secret_put_into_the_file_by_hand_is_not_repeated(path: Path, key: str) -> None:
    canary = create(path, "shop", ["predict"], lifetime=DAY).secret

    for changes in ({key: f"{canary}!"}, {canary: key}):
        with pytest.raises(TakerootError) as caught:
            read(put(path, **changes))
        assert canary not in repr(caught.value) + repr(caught.value.__cause__)


def test_a_file_that_others_may_write_is_refused(path: Path) -> None:
    create(path, "shop", ["predict"], lifetime=DAY)
    path.chmod(0o620)

    with pytest.raises(TakerootError, match="chmod 600"):
        read(path)


def test_what_is_no_file_is_refused_without_waiting(path: Path) -> None:
    os.mkfifo(path, 0o600)

    with pytest.raises(TakerootError, match="is not a file"):
        read(path)


@pytest.mark.parametrize("make", [Path.mkdir, lambda _: None], ids=["folder", "nothing"])
def test_what_cannot_be_read_is_named(path: Path, make: Any) -> None:
    make(path)

    with pytest.raises(TakerootError, match=f"{path}: "):
        read(path)


def test_a_file_too_large_is_refused(path: Path) -> None:
    path.write_text(" " * ((1 << 20) + 1))
    path.chmod(0o600)

    with pytest.raises(TakerootError, match="larger than 1048576 bytes"):
        read(path)


def test_creating_in_a_missing_folder_names_it(tmp_path: Path) -> None:
    with pytest.raises(TakerootError, match="cannot be written: No such file"):
        create(tmp_path / "none" / "tokens.json", "shop", ["predict"], lifetime=DAY)


def test_a_broken_file_is_neither_added_to_nor_revoked_from(path: Path) -> None:
    path.write_text("{")
    path.chmod(0o600)

    for change in (lambda: create(path, "a", ["predict"], lifetime=DAY), lambda: revoke(path, "a")):
        with pytest.raises(TakerootError, match="Invalid JSON"):
            change()

    assert path.read_text() == "{"


def test_processes_that_create_at_once_lose_no_token(path: Path) -> None:
    words = [sys.executable, "-c", CREATE, str(path)]
    workers = [subprocess.Popen([*words, f"p{n}"], stdin=subprocess.PIPE) for n in range(4)]
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write(b"x")
        worker.stdin.close()

    assert [worker.wait() for worker in workers] == [0] * 4
    assert {token.name for token in read(path).tokens} == {
        f"p{worker}-{number}" for worker in range(4) for number in range(10)
    }
