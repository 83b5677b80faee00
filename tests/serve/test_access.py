"""Every address × every kind of token: what has no decision here fails, and so does a new route."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from takeroot.serve import v2
from takeroot.serve.native import ROUTES
from takeroot.serve.tokens import SCOPES, create, revoke
from takeroot.serve.v2.rest import ROUTES as V2_ROUTES

Running = Any
Serve = Callable[..., Any]

DAY = timedelta(days=1)
OPEN = {"/", "/page/{file}", "/docs", "/openapi.json", "/healthz", "/readyz"}
NATIVE = [(route.method, route.path, route.scope) for route in ROUTES]
PROTOCOL = [
    (method, route.path, None if route.scope == "none" else route.scope)
    for route in V2_ROUTES
    for method in route.methods
]


class Guarded:
    """A server with tokens, and the secrets."""

    def __init__(self, server: Running, secrets: dict[str, str]) -> None:
        self.server, self.secrets = server, secrets

    def status(self, method: str, path: str, token: str | None) -> int:
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        body = {"inputs": ["where is it"]} if method == "POST" else None
        found: int = self.server.call(method, path, body, **headers)[0]
        return found


@pytest.fixture(scope="module")
def guarded(
    serve_a_file: Serve, shop_bundle: Path, tmp_path_factory: pytest.TempPathFactory
) -> Guarded:
    tokens = tmp_path_factory.mktemp("access") / "tokens.json"
    secrets = {scope: create(tokens, scope, [scope], lifetime=DAY).secret for scope in SCOPES}
    long_ago = datetime.now(UTC) - 10 * DAY
    expired = create(tokens, "expired", SCOPES, lifetime=DAY, now=long_ago)
    revoked = create(tokens, "revoked", SCOPES, lifetime=DAY)
    revoke(tokens, "revoked")
    secrets |= {"expired": expired.secret, "revoked": revoked.secret, "bad": "tkr_" + "a" * 43}
    return Guarded(serve_a_file(shop_bundle, "--tokens", str(tokens)), secrets)


@pytest.mark.parametrize(("method", "path", "scope"), [*NATIVE, *PROTOCOL], ids=str)
def test_an_address_opens_to_the_right_token_only(
    guarded: Guarded, method: str, path: str, scope: str | None
) -> None:
    version = guarded.server.models[0].split()[1]
    path = path.format(model="shop", version=version, file="page.js", region="r", repository="r")
    if path.endswith("unload"):
        path = path.replace("shop", "other")  # the others still need it
    if scope is None:
        assert guarded.status(method, path, None) == 200
        return

    for token in (None, *(guarded.secrets[name] for name in ("bad", "expired", "revoked"))):
        assert guarded.status(method, path, token) == 401
    for other in SCOPES:
        found = guarded.status(method, path, guarded.secrets[other])
        assert found not in (401, 403) if other == scope else found == 403


def test_only_what_gives_nothing_away_is_open() -> None:
    assert {path for _, path, scope in NATIVE if scope is None} == OPEN
    assert {path for _, path, scope in PROTOCOL if scope is None} == {
        "/v2/health/live",
        "/v2/health/ready",
    }
    assert {scope for _, _, scope in [*NATIVE, *PROTOCOL]} - {None} <= set(SCOPES)


def test_an_address_that_is_in_no_table_is_there_for_nobody(guarded: Guarded) -> None:
    for path in ("/v1/admin", "/v2/models/shop/secret", "/v1", "/v3/models", "/metrics/x"):
        assert v2.scope_of("GET", path) is None
        assert guarded.status("GET", path, guarded.secrets["admin"]) == 404


def test_usage_is_counted_by_token_and_model(
    serve: Serve, shop_bundle: Path, tmp_path: Path
) -> None:
    tokens, usage = tmp_path / "tokens.json", tmp_path / "usage.sqlite"
    secrets = {name: create(tokens, name, ["predict"], lifetime=DAY).secret for name in ("a", "b")}
    admin = create(tokens, "boss", ["admin"], lifetime=DAY).secret
    server = serve(shop_bundle, "--tokens", str(tokens), "--usage", str(usage))
    for name, times in (("a", 2), ("b", 1)):
        for _ in range(times):
            server.predict("one", "two", authorization=f"Bearer {secrets[name]}")
    server.predict("x", model="other", authorization=f"Bearer {secrets['a']}")

    _, _, body = server.call("GET", "/v1/usage", authorization=f"Bearer {admin}")

    rows = {row["token"]: row for row in json.loads(body)["usage"]}
    assert {name: (row["requests"], row["texts"]) for name, row in rows.items()} == {
        "a": (2, 4),
        "b": (1, 2),
    }


def test_a_quota_counts_answered_texts_over_every_protocol(
    serve: Serve, shop_bundle: Path, tmp_path: Path
) -> None:
    tokens = tmp_path / "tokens.json"
    secret = create(tokens, "small", ["predict"], lifetime=DAY, daily=5).secret
    server = serve(shop_bundle, "--tokens", str(tokens))
    allowed = {"authorization": f"Bearer {secret}"}
    tensor = {"name": "text", "shape": [2], "datatype": "BYTES", "data": ["a", "b"]}

    over_v2 = server.call("POST", "/v2/models/shop/infer", {"inputs": [tensor]}, **allowed)
    refused, _ = server.predict("x", model="other", **allowed)
    natively, _ = server.predict("a", "b", "c", **allowed)
    beyond, error = server.predict("one more", **allowed)

    assert (over_v2[0], refused, natively, beyond) == (200, 404, 200, 429)
    assert error["error"]["code"] == "quota_exhausted"


def test_a_revoked_token_is_out_within_seconds_without_a_restart(
    serve: Serve, shop_bundle: Path, tmp_path: Path
) -> None:
    tokens = tmp_path / "tokens.json"
    secret = create(tokens, "gone", ["predict"], lifetime=DAY).secret
    server = serve(shop_bundle, "--tokens", str(tokens))
    assert server.predict("x", authorization=f"Bearer {secret}")[0] == 200

    revoke(tokens, "gone")
    time.sleep(3)

    assert server.predict("x", authorization=f"Bearer {secret}")[0] == 401
