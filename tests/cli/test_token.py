"""takeroot token: create, list, revoke."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from takeroot.serve.caller import Gate

Run = Callable[..., Any]
SECRET = r"tkr_[A-Za-z0-9_-]{43}"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tokens.json"


def test_a_created_token_opens_the_gate(takeroot: Run, path: Path) -> None:
    words = ["--scope", "predict", "--scope", "models", "--rate", "50/s", "--daily", 100000]
    ran = takeroot("token", "create", "--name", "shop", *words, "--tokens", path, "--json")

    gate = Gate(path)
    assert ran.code == 0
    assert gate.admit(f"Bearer {ran.json['secret']}", "models").name == "shop"
    assert {**ran.json, "secret": "", "created": "", "expires": ""} == {
        **{"tokens": str(path), "secret": "", "name": "shop", "state": "active"},
        **{"scopes": ["predict", "models"], "created": "", "expires": "", "revoked": None},
        **{"rate": {"per_s": 50.0, "burst": 50}, "daily": 100000},
    }


def test_the_secret_is_shown_once_on_a_line_of_its_own(takeroot: Run, path: Path) -> None:
    ran = takeroot("token", "create", "--name", "shop", "--tokens", path)

    assert re.fullmatch(SECRET, ran.out.splitlines()[0])
    assert len(re.findall(SECRET, ran.out + ran.err)) == 1
    assert "shown this once" in ran.out


def test_the_secret_is_never_shown_again(takeroot: Run, path: Path) -> None:
    secret = takeroot("token", "create", "--name", "a", "--tokens", path, "--json").json["secret"]

    later = [takeroot("token", "list", "--tokens", path, *more).out for more in ([], ["--json"])]
    later += [takeroot("token", "revoke", "a", "--tokens", path, "--json").out, path.read_text()]

    assert secret not in "".join(later)


def test_a_token_may_predict_for_90_days_by_default(takeroot: Run, path: Path) -> None:
    made = takeroot("token", "create", "--name", "shop", "--tokens", path, "--json").json

    assert made["scopes"] == ["predict"]
    assert (made["rate"], made["daily"]) == (None, None)
    assert made["expires"] is not None


def test_a_burst_is_kept(takeroot: Run, path: Path) -> None:
    words = ["--rate", "600/m", "--burst", "40", "--expires", "never"]
    made = takeroot("token", "create", "--name", "a", *words, "--tokens", path, "--json").json

    assert (made["rate"], made["expires"]) == ({"per_s": 10.0, "burst": 40}, None)


def test_list_shows_names_states_and_limits(takeroot: Run, path: Path) -> None:
    takeroot("token", "create", "--name", "shop", "--rate", "2.5/s", "--tokens", path)
    takeroot("token", "create", "--name", "depot", "--tokens", path)
    takeroot("token", "revoke", "depot", "--tokens", path)

    found = takeroot("token", "list", "--tokens", path, "--json").json["list"]
    assert [(token["name"], token["state"]) for token in found] == [
        ("shop", "active"),
        ("depot", "revoked"),
    ]
    shown = takeroot("token", "list", "--tokens", path).out
    assert all(word in shown for word in ("shop", "depot", "revoked", "2.5", "predict"))


def test_revoking_twice_is_no_error_and_keeps_the_time(takeroot: Run, path: Path) -> None:
    takeroot("token", "create", "--name", "shop", "--tokens", path)

    first = takeroot("token", "revoke", "shop", "--tokens", path, "--json")
    second = takeroot("token", "revoke", "shop", "--tokens", path, "--json")

    assert (first.code, second.code) == (0, 0)
    assert second.json["revoked"] == first.json["revoked"]


def test_tokens_json_in_the_folder_is_the_default(
    takeroot: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert takeroot("token", "create", "--name", "shop").code == 0
    assert [file.name for file in tmp_path.iterdir()] == ["tokens.json"]


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["create"], "--name"),
        (["create", "--name", "a b"], "name 'a b'"),
        (["create", "--name", "anonymous"], "anonymous"),
        (["create", "--name", "there"], "has it (active)"),
        (["create", "--name", "a", "--scope", "root"], "scope 'root'"),
        (["create", "--name", "a", "--scope", ""], "known are predict"),
        (["create", "--name", "a", "--expires", "soon"], "expires 'soon'"),
        (["create", "--name", "a", "--expires", "0d"], "above 0"),
        (["create", "--name", "a", "--expires", "9999d"], "ten years"),
        (["create", "--name", "a", "--rate", "fast"], "rate 'fast'"),
        (["create", "--name", "a", "--rate", "0/s"], "rate '0/s'"),
        (["create", "--name", "a", "--rate", "1/s", "--burst", "0"], "burst 0"),
        (["create", "--name", "a", "--burst", "5"], "needs a rate"),
        (["create", "--name", "a", "--daily", "0"], "daily 0"),
        (["create", "--name", "a", "--daily", "many"], "--daily"),
        (["create", "--name", "a", "--secret", "mine"], "--secret"),
        (["revoke"], "name"),
        (["revoke", "nobody"], "there: there"),
        (["lst"], "lst"),
    ],
)
def test_a_bad_option_is_one_line_and_ends_with_1(
    takeroot: Run, path: Path, words: list[str], part: str
) -> None:
    takeroot("token", "create", "--name", "there", "--tokens", path)
    before = path.read_text()

    ran = takeroot("token", *words, *(["--tokens", path] if words != ["lst"] else []))

    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("error: ")
    assert part.lower() in ran.err.lower()
    assert len(ran.err.splitlines()) == 1
    assert path.read_text() == before


@pytest.mark.parametrize("words", [["list"], ["revoke", "shop"]])
def test_a_missing_file_is_named(takeroot: Run, path: Path, words: list[str]) -> None:
    ran = takeroot("token", *words, "--tokens", path, "--json")

    assert (ran.code, ran.json["exit_code"]) == (1, 1)
    assert f"{path}: cannot be read: No such file" in ran.err
    assert len(ran.err.splitlines()) == 1


def test_a_missing_folder_is_named(takeroot: Run, tmp_path: Path) -> None:
    ran = takeroot("token", "create", "--name", "shop", "--tokens", tmp_path / "none" / "t.json")

    assert (ran.code, "none/t.json: cannot be written" in ran.err) == (1, True)
