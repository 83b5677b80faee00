"""The gate: who gets in, for what, how fast, how much; and that no secret gets out."""

from __future__ import annotations

import logging
import string
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from takeroot.serve.caller import ANONYMOUS, SCOPES, Caller, Gate, bearer
from takeroot.serve.faults import ServeError
from takeroot.serve.limits import Rate
from takeroot.serve.tokens import create, revoke

START = datetime(2025, 1, 1, 18, tzinfo=UTC)
ALPHABET = string.ascii_letters + string.digits + "_-"
secrets = st.text(ALPHABET, min_size=43, max_size=43).map("tkr_{}".format)
schemes = st.tuples(*(st.sampled_from([c, c.upper()]) for c in "bearer")).map("".join)
headers = st.builds("{}{}{}".format, schemes, st.integers(1, 3).map(" ".__mul__), secrets)


@dataclass
class Clock:
    """A clock that is set by hand."""

    now: float = START.timestamp()

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tokens.json"


@pytest.fixture
def token(path: Path) -> Callable[..., str]:
    """Creates a token for a day and gives its Authorization header."""

    def make(name: str = "shop", *scopes: str, **limits: object) -> str:
        made = create(
            path,
            name,
            scopes or ["predict"],
            **{"lifetime": timedelta(days=1), "now": START, **limits},  # type: ignore[arg-type]
        )
        return f"Bearer {made.secret}"

    return make


@pytest.fixture
def gate(path: Path, clock: Clock) -> Iterator[Callable[..., Gate]]:
    """Opens gates on the token file, and closes them."""
    opened = []

    def open_gate(usage: Path | None = None) -> Gate:
        opened.append(Gate(path, usage, clock=clock))
        return opened[-1]

    yield open_gate
    for each in opened:
        each.close()


def refusal(call: Callable[..., object], *arguments: object) -> ServeError:
    with pytest.raises(ServeError) as caught:
        call(*arguments)
    return caught.value


def parsed_by_hand(header: str) -> str | None:
    """What the header's secret is, told without a regular expression."""
    scheme, _, secret = header.partition(" ")
    secret = secret.lstrip(" ")
    whole = secret.startswith("tkr_") and len(secret) == 47 and set(secret) <= set(ALPHABET)
    return secret if whole and scheme.isascii() and scheme.lower() == "bearer" else None


@given(scheme=schemes, spaces=st.integers(1, 5), secret=secrets)
def test_a_secret_is_found_in_its_header(scheme: str, spaces: int, secret: str) -> None:
    assert bearer(scheme + " " * spaces + secret) == secret


@given(header=headers, place=st.integers(0, 60), cut=st.integers(0, 3), put=st.text(max_size=3))
def test_a_changed_header_gives_a_whole_secret_or_none(
    header: str, place: int, cut: int, put: str
) -> None:
    changed = header[:place] + put + header[place + cut :]

    assert bearer(changed) == parsed_by_hand(changed)


@given(st.text())
def test_any_other_text_gives_no_secret(text: str) -> None:
    assert bearer(text) == parsed_by_hand(text)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Basic dXNlcjpwYXNz",
        "tkr_" + "a" * 43,
        "Bearer\ttkr_" + "a" * 43,
        "Bearer tkr_" + "a" * 43 + "\n",
        "Bearer tkr_" + "a" * 43 + ", Bearer tkr_" + "a" * 43,
        "Bearer tkr_" + "ａ" * 43,
        "Bearer " + "a" * 100_000,
        "Bearer \x00",
    ],
)
def test_bad_headers_are_refused_alike(
    gate: Callable[..., Gate], token: Callable[..., str], header: str | None
) -> None:
    token()

    error = refusal(gate().admit, header, "predict")

    assert (error.code, error.fault.http, error.fault.grpc) == (
        "unauthenticated",
        401,
        "UNAUTHENTICATED",
    )


def test_every_character_of_a_secret_counts(
    gate: Callable[..., Gate], token: Callable[..., str]
) -> None:
    header = token()
    opened = gate()

    for place in range(len("Bearer tkr_"), len(header)):
        other = "a" if header[place] != "a" else "b"
        changed = header[:place] + other + header[place + 1 :]
        assert refusal(opened.admit, changed, "predict").code == "unauthenticated"


@pytest.mark.parametrize("asked", SCOPES)
@pytest.mark.parametrize("held", SCOPES)
def test_a_scope_opens_its_own_door_only(
    gate: Callable[..., Gate], token: Callable[..., str], held: str, asked: str
) -> None:
    header = token("shop", held)
    opened = gate()

    if held == asked:
        assert opened.admit(header, asked) == Caller("shop", frozenset({held}))
    else:
        error = refusal(opened.admit, header, asked)
        assert (error.code, error.fault.http) == ("forbidden", 403)
        assert error.message.endswith(f"it needs the scope {asked}")


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("kind", ["none", "unknown", "expired", "revoked", "of a revoked twin"])
def test_no_door_opens_without_a_valid_token(
    gate: Callable[..., Gate],
    token: Callable[..., str],
    clock: Clock,
    path: Path,
    scope: str,
    kind: str,
) -> None:
    header: str | None = token("shop", *SCOPES)
    token("depot", *SCOPES)
    if kind in ("revoked", "of a revoked twin"):
        revoke(path, "shop")
    clock.now += 86_400 if kind == "expired" else 0
    header = {"none": None, "unknown": "Bearer tkr_" + "x" * 43}.get(kind, header)

    assert refusal(gate().admit, header, scope).code == "unauthenticated"


def test_a_token_ends_to_the_second(
    gate: Callable[..., Gate], token: Callable[..., str], clock: Clock
) -> None:
    header = token()
    opened = gate()

    assert opened.admit(header, "predict", clock.now + 86_399.9).name == "shop"
    assert refusal(opened.admit, header, "predict", clock.now + 86_400).code == "unauthenticated"


def test_a_revocation_and_a_narrower_scope_take_effect_without_a_restart(
    gate: Callable[..., Gate], token: Callable[..., str], clock: Clock, path: Path
) -> None:
    revoked, narrowed = token("shop"), token("depot", "predict", "models")
    opened = gate()
    opened.admit(revoked, "predict")
    opened.admit(narrowed, "models")
    revoke(path, "shop")
    path.write_text(path.read_text().replace('"models"', '"metrics"'))
    clock.now += 1

    assert refusal(opened.admit, revoked, "predict").code == "unauthenticated"
    assert refusal(opened.admit, narrowed, "models").code == "forbidden"


def test_an_unknown_scope_is_open_to_nobody(
    gate: Callable[..., Gate], token: Callable[..., str]
) -> None:
    header = token("shop", *SCOPES)

    assert refusal(gate().admit, header, "trian").code == "forbidden"
    assert refusal(Gate(None).admit, None, "trian").code == "forbidden"


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("header", [None, "Bearer tkr_" + "a" * 43, "nonsense"])
def test_without_a_token_file_everybody_is_anonymous(scope: str, header: str | None) -> None:
    opened = Gate(None)
    caller = opened.admit(header, scope)
    opened.check_quota(caller, 10**9)
    opened.charge(caller, "shop", 1, 1, 1.0)

    assert caller is ANONYMOUS
    assert [row["token"] for row in opened.usage()] == ["anonymous"]


def test_a_thousand_bad_logins_leave_good_tokens_alone(
    gate: Callable[..., Gate], token: Callable[..., str]
) -> None:
    header = token(rate=Rate(per_s=1, burst=1))
    opened = gate()
    for number in range(1000):
        refusal(opened.admit, f"Bearer tkr_{number:043}", "predict")

    assert opened.admit(header, "predict").name == "shop"


def test_requests_beyond_the_rate_are_told_when_to_come_back(
    gate: Callable[..., Gate], token: Callable[..., str], clock: Clock
) -> None:
    header = token(rate=Rate(per_s=2, burst=3))
    opened = gate()
    for _ in range(3):
        opened.admit(header, "predict")

    error = refusal(opened.admit, header, "predict")
    clock.now += error.retry_after_s or 0
    assert (error.code, error.fault.http, error.retry_after_s) == ("rate_limited", 429, 0.5)
    assert "at most 2 a second" in error.message
    assert opened.admit(header, "predict").name == "shop"


def test_each_token_has_a_rate_of_its_own(
    gate: Callable[..., Gate], token: Callable[..., str], clock: Clock
) -> None:
    slow = Rate(per_s=1, burst=1)
    shop, depot, free = token("shop", rate=slow), token("depot", rate=slow), token("free")
    opened = gate()
    opened.admit(shop, "predict")

    assert refusal(opened.admit, shop, "predict").code == "rate_limited"
    assert opened.admit(depot, "predict").name == "depot"
    assert {opened.admit(free, "predict").name for _ in range(100)} == {"free"}


def test_thirty_seconds_at_five_times_the_rate_pass_the_rate(
    gate: Callable[..., Gate], token: Callable[..., str], clock: Clock
) -> None:
    header = token(rate=Rate(per_s=10, burst=10))
    opened = gate()
    passed = 0
    for _ in range(30 * 50):
        clock.now += 1 / 50
        try:
            opened.admit(header, "predict")
            passed += 1
        except ServeError:
            continue

    assert 300 <= passed <= 310


def test_a_changed_token_file_does_not_refill_a_bucket(
    gate: Callable[..., Gate], token: Callable[..., str], clock: Clock
) -> None:
    header = token(rate=Rate(per_s=0.1, burst=5))
    opened = gate()
    for _ in range(5):
        opened.admit(header, "predict")
    token("depot")
    clock.now += 1

    assert refusal(opened.admit, header, "predict").code == "rate_limited"


def test_a_quota_ends_at_midnight_utc(
    gate: Callable[..., Gate], token: Callable[..., str], clock: Clock
) -> None:
    header = token(daily=100)
    opened = gate()
    caller = opened.admit(header, "predict")
    opened.check_quota(caller, 100)

    error = refusal(opened.check_quota, caller, 1)
    clock.now += error.retry_after_s or 0
    assert (error.code, error.fault.http, error.retry_after_s) == ("quota_exhausted", 429, 6 * 3600)
    assert error.message.endswith("it is 100")
    opened.check_quota(caller, 100)


def test_requests_side_by_side_cannot_exceed_the_quota_together(
    gate: Callable[..., Gate], token: Callable[..., str]
) -> None:
    header = token(daily=1000)
    opened = gate()
    caller = opened.admit(header, "predict")
    passed: list[int] = []

    def ask() -> None:
        for _ in range(500):
            try:
                opened.check_quota(caller, 1)
            except ServeError:
                continue
            passed.append(1)

    threads = [Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(passed) == 1000


def test_work_that_was_not_done_is_given_back(
    gate: Callable[..., Gate], token: Callable[..., str]
) -> None:
    header = token(daily=10)
    opened = gate()
    caller = opened.admit(header, "predict")
    opened.check_quota(caller, 10)
    opened.give_back(caller, 10)

    opened.check_quota(caller, 10)


def test_a_quota_is_restored_from_what_was_used(
    gate: Callable[..., Gate], token: Callable[..., str], tmp_path: Path
) -> None:
    header, usage = token(daily=10), tmp_path / "usage.sqlite3"
    first = gate(usage)
    caller = first.admit(header, "predict")
    for model in ("a", "b"):
        first.charge(caller, model, 4, 9, 0.1)
    first.close()

    second = gate(usage)
    second.check_quota(caller, 2)
    assert refusal(second.check_quota, caller, 1).code == "quota_exhausted"


def test_a_token_gone_between_admission_and_quota_is_refused(
    gate: Callable[..., Gate], token: Callable[..., str], clock: Clock, path: Path
) -> None:
    header = token()
    opened = gate()
    caller = opened.admit(header, "predict")
    revoke(path, "shop")
    clock.now += 1

    assert refusal(opened.check_quota, caller, 1).code == "unauthenticated"


def test_usage_is_counted_by_token_model_and_day(
    gate: Callable[..., Gate], token: Callable[..., str], clock: Clock
) -> None:
    header = token(lifetime=None)
    opened = gate()
    caller = opened.admit(header, "predict")
    opened.charge(caller, "shop", 3, 20, 1.5)
    opened.charge(caller, "shop", 1, 10, 0.25)
    clock.now += 6 * 3600
    opened.charge(caller, "shop", 1, 10, 0.25)

    head = {"token": "shop", "model": "shop"}
    sums = {"requests": 2, "texts": 4, "tokens": 30, "compute_ms": 1.75}
    last = {"requests": 1, "texts": 1, "tokens": 10, "compute_ms": 0.25}
    assert opened.usage() == [
        {**head, "day": "2025-01-01", **sums},
        {**head, "day": "2025-01-02", **last},
    ]
    assert opened.usage("2025-01-02") == [{**head, "day": "2025-01-02", **last}]


def test_a_problem_is_told_without_a_request(
    gate: Callable[..., Gate], token: Callable[..., str], clock: Clock, path: Path
) -> None:
    token()
    opened = gate()
    assert opened.problem is None
    path.write_text("{")
    clock.now += 1

    assert str(path) in (opened.problem or "")


def test_no_secret_is_seen_anywhere(
    gate: Callable[..., Gate],
    token: Callable[..., str],
    clock: Clock,
    path: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    header = token(rate=Rate(per_s=1, burst=1), daily=1)
    opened = gate(tmp_path / "usage.sqlite3")
    caller = opened.admit(header, "predict")
    opened.check_quota(caller, 1)
    opened.charge(caller, "shop", 1, 1, 1.0)
    errors = [refusal(opened.admit, header, "predict"), refusal(opened.admit, header, "admin")]
    errors += [refusal(opened.check_quota, caller, 1), refusal(opened.admit, f"{header}x", "admin")]
    path.write_text(path.read_text() + header)
    clock.now += 1
    assert opened.problem
    opened.close()
    path.write_text("")

    secret = header.removeprefix("Bearer tkr_")
    shown = [
        caplog.text,
        opened.problem,
        caller,
        vars(opened),
        vars(opened._roster),
        opened.usage(),
    ]
    shown += [(error, vars(error), error.__cause__, error.__context__) for error in errors]
    assert caplog.records
    assert secret not in repr(shown)
    assert all(secret.encode() not in file.read_bytes() for file in tmp_path.iterdir())
