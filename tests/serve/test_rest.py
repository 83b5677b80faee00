from __future__ import annotations

import gzip
import json
import socket
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from takeroot.bundle import load_predictor
from takeroot.serve.native import ROUTES

Running = Any
Serve = Callable[..., Any]

TEXTS = ["where is my parcel", "my invoice is wrong", "zzz qqq"]
PREDICT = "/v1/models/shop/predict"


def code(body: bytes) -> str:
    found: str = json.loads(body)["error"]["code"]
    return found


def test_answers_are_the_predictors(shared: Running, shop_bundle: Path) -> None:
    status, found = shared.predict(*TEXTS)

    assert status == 200
    expected = load_predictor(shop_bundle).predict(TEXTS)
    for given, answer in zip(found["predictions"], expected, strict=True):
        assert given["label"] == answer.label
        assert given["probabilities"] == pytest.approx(answer.probabilities)
        assert (given["abstained"], given["reason"]) == (answer.abstained, answer.reason)
    assert found["model"] == "shop"
    assert shared.models == [f"shop {found['version']}"]


def test_a_version_is_answered_by_its_address(shared: Running) -> None:
    _, found = shared.predict("hi")

    path = f"/v1/models/shop/versions/{found['version']}/predict"
    status, _, body = shared.call("POST", path, {"inputs": ["hi"]})

    assert (status, json.loads(body)) == (200, found)


@pytest.mark.parametrize(
    ("options", "listed"), [({"top_k": 1}, 1), ({"top_k": 2}, 2), ({"probabilities": False}, 0)]
)
def test_an_answer_lists_what_was_asked_for(
    shared: Running, options: dict[str, Any], listed: int
) -> None:
    body = {"inputs": TEXTS, "options": options}

    status, _, found = shared.call("POST", PREDICT, body)

    assert status == 200
    for each in json.loads(found)["predictions"]:
        assert len(each.get("probabilities", {})) == listed
        assert listed == 0 or next(iter(each["probabilities"])) == each["label"]


@pytest.mark.parametrize("packed", ["gzip", "deflate"])
def test_a_packed_body_is_read(shared: Running, packed: str) -> None:
    body = json.dumps({"inputs": TEXTS}).encode()
    data = gzip.compress(body) if packed == "gzip" else zlib.compress(body)

    status, _, _ = shared.call("POST", PREDICT, data, content_encoding=packed)

    assert status == 200


BAD = {
    "no JSON": (b"{", {}, 400, "invalid_request"),
    "no UTF-8": (b'{"inputs": ["\xff"]}', {}, 400, "invalid_request"),
    "another key": (b'{"inputs": [], "text": 1}', {}, 400, "invalid_request"),
    "no input": (b'{"inputs": []}', {}, 400, "invalid_request"),
    "numbers": (b'{"inputs": [1]}', {}, 400, "invalid_request"),
    "pairs": (b'{"inputs": [["a", "b"]]}', {}, 400, "invalid_request"),
    "top 0": (b'{"inputs": ["a"], "options": {"top_k": 0}}', {}, 400, "invalid_request"),
    "top 10**40": (
        b'{"inputs": ["a"], "options": {"top_k": 1%s}}' % (b"0" * 40),
        {},
        400,
        "invalid_request",
    ),
    "too many": (b'{"inputs": [' + b'"a",' * 256 + b'"a"]}', {}, 400, "too_many_inputs"),
    "too long": (b'{"inputs": ["' + b"a" * 65_537 + b'"]}', {}, 400, "text_too_long"),
    "too large": (b" " * (2 << 20) + b"{}", {}, 413, "body_too_large"),
    "deep": (b'{"inputs": ' + b"[" * 100_000, {}, 400, "invalid_request"),
    "form": (b"inputs=a", {"content-type": "text/plain"}, 415, "unsupported_media_type"),
    "brotli": (b"x", {"content-encoding": "br"}, 415, "unsupported_media_type"),
    "damaged": (b"x", {"content-encoding": "gzip"}, 400, "invalid_request"),
    "cut off": (gzip.compress(b"{}")[:-4], {"content-encoding": "gzip"}, 400, "invalid_request"),
    "bomb": (gzip.compress(bytes(3 << 20)), {"content-encoding": "gzip"}, 413, "body_too_large"),
    "deflate bomb": (
        zlib.compress(bytes(3 << 20)),
        {"content-encoding": "deflate"},
        413,
        "body_too_large",
    ),
    "time 0": (b'{"inputs": ["a"]}', {"x-request-timeout-ms": "0"}, 400, "invalid_request"),
    "time far off": (
        b'{"inputs": ["a"]}',
        {"x-request-timeout-ms": "000000001" + "9" * 12},
        400,
        "invalid_request",
    ),
    "time -": (b'{"inputs": ["a"]}', {"x-request-timeout-ms": "-1"}, 400, "invalid_request"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_request_is_refused_for_what_is_wrong_with_it(shared: Running, name: str) -> None:
    body, headers, status, expected = BAD[name]

    found, sent, data = shared.call("POST", PREDICT, body, **headers)

    assert (found, code(data)) == (status, expected)
    assert json.loads(data)["error"]["request_id"] == sent["x-request-id"]
    assert shared.predict("still there")[0] == 200


@pytest.mark.parametrize(
    ("method", "path", "status", "expected"),
    [
        ("GET", "/nothing", 404, "unknown_route"),
        ("GET", "/page/../rest.py", 404, "unknown_route"),
        ("GET", "/page/rest.py", 404, "unknown_route"),
        ("DELETE", PREDICT, 405, "method_not_allowed"),
        ("GET", PREDICT, 405, "method_not_allowed"),
        ("POST", "/v1/models/other/predict", 404, "unknown_model"),
        ("POST", "/v1/models/shop/versions/0/predict", 404, "unknown_model"),
    ],
)
def test_what_is_not_there_is_said_to_be_missing(
    shared: Running, method: str, path: str, status: int, expected: str
) -> None:
    found, _, data = shared.call(method, path, {"inputs": ["a"]})

    assert (found, code(data)) == (status, expected)


def test_a_method_that_is_not_allowed_is_told_which_are(shared: Running) -> None:
    native = shared.call("DELETE", PREDICT)
    protocol = shared.call("DELETE", "/v2/models/shop/infer")

    assert [each[0] for each in (native, protocol)] == [405, 405]
    assert [each[1]["allow"] for each in (native, protocol)] == ["POST", "POST"]


def test_a_refusal_under_v2_has_the_protocols_form_whatever_was_wrong(shared: Running) -> None:
    for method, path, body in (
        ("GET", "/v2/nothing", None),
        ("POST", "/v2/models/shop/infer", b"{"),
        ("POST", "/v2/models/shop/infer", b" " * (3 << 20)),
    ):
        _, _, found = shared.call(method, path, body)

        assert isinstance(json.loads(found)["error"], str)


def test_an_unknown_model_names_the_known_ones(shared: Running) -> None:
    _, _, data = shared.call("POST", "/v1/models/other/predict", {"inputs": ["a"]})

    assert json.loads(data)["error"]["message"].endswith("; there are: shop")


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "localhost.:1"])
def test_a_name_the_server_does_not_go_by_is_refused(shared: Running, host: str) -> None:
    status, _, data = shared.call("GET", "/healthz", host=host)

    assert (status, code(data)) == (421, "unknown_host")


def test_a_request_id_is_taken_over_when_it_is_harmless(shared: Running) -> None:
    given = shared.call("GET", "/healthz", x_request_id="abc-1")[1]["x-request-id"]
    other = shared.call("GET", "/healthz", x_request_id='a"b')[1]["x-request-id"]

    assert given == "abc-1"
    assert len(other) == 16


def test_headers_that_are_too_large_are_refused(shared: Running) -> None:
    status, _, data = shared.call("GET", "/healthz", x_filler="a" * 20_000)

    assert (status, code(data)) == (431, "headers_too_large")


@pytest.mark.parametrize("sent", [b"\x00\x01\x02", b"GET / HTTP/9.9\r\n\r\n"])
def test_what_is_no_http_ends_the_connection_and_nothing_else(shared: Running, sent: bytes) -> None:
    host, port = shared.address.split(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(sent)
        answer = connection.recv(1000)

    assert answer.startswith(b"HTTP/1.1 400")
    assert shared.predict("still there")[0] == 200


@pytest.mark.parametrize("route", [route for route in ROUTES if route.method == "GET"])
def test_every_address_to_look_at_answers(shared: Running, route: Any) -> None:
    version = shared.models[0].split()[1]
    values = {"model": "shop", "version": version, "file": "page.js"}
    path = route.path.format(**values)

    status, headers, body = shared.call("GET", path)
    head, bare, nothing = shared.call("HEAD", path)

    assert (status, head, nothing) == (200, 200, b"")
    assert int(headers["content-length"]) == len(body) > 0
    if "metrics" not in path:
        assert bare["content-length"] == headers["content-length"]


def test_pages_load_nothing_from_elsewhere(shared: Running) -> None:
    for path in ("/", "/docs", "/page/page.css", "/page/page.js"):
        _, headers, body = shared.call("GET", path)

        assert b"://" not in body
        assert "default-src 'none'" in headers["content-security-policy"]


def test_openapi_lists_every_route(shared: Running) -> None:
    document = json.loads(shared.call("GET", "/openapi.json")[2])

    listed = {(m.upper(), path) for path, each in document["paths"].items() for m in each}
    assert listed == {(route.method, route.path) for route in ROUTES}


def test_metrics_count_what_was_answered(serve: Serve, shop_bundle: Path) -> None:
    server = serve(shop_bundle)
    server.predict(*TEXTS)
    server.predict("x", model="other")

    text = server.call("GET", "/metrics")[2].decode()

    version = server.models[0].split()[1]
    labels = f'{{model="shop",version="{version}"}}'
    assert f"nv_inference_count{labels} 3\n" in text
    assert f"nv_inference_request_success{labels} 1\n" in text
    assert 'takeroot_requests_total{outcome="unknown_model",protocol="rest"} 1.0' in text
    assert f"takeroot_request_seconds_count{labels[:-1]}}} 1.0" in text


def test_a_page_of_an_allowed_origin_may_call(serve: Serve, shop_bundle: Path) -> None:
    server = serve(shop_bundle, "--origins", "https://shop.example")

    allowed = server.call("OPTIONS", PREDICT, origin="https://shop.example")
    other = server.call("GET", "/healthz", origin="https://evil.example")

    assert allowed[0] == 204
    assert allowed[1]["access-control-allow-origin"] == "https://shop.example"
    assert "access-control-allow-origin" not in other[1]


@pytest.mark.parametrize("path", [PREDICT, "/v2/repository/models/shop/unload"])
def test_a_page_of_another_origin_can_make_a_browser_send_nothing(
    shared: Running, path: str
) -> None:
    status, _, data = shared.call("POST", path, {"inputs": ["a"]}, origin="https://evil.example")
    own, _, _ = shared.call("POST", PREDICT, {"inputs": ["a"]}, origin=f"http://{shared.address}")

    assert status == 403
    assert b"a page of another origin may not call this server" in data
    assert own == 200


def test_no_text_reaches_the_log(serve: Serve, shop_bundle: Path) -> None:
    server = serve(shop_bundle, "--log-requests")
    server.predict("canary-4711 is my secret")
    server.call("POST", PREDICT, b'{"inputs": ["canary-4711", 1]}')

    assert server.stop() == 0
    server.log.seek(0)
    log = server.log.read()

    assert "canary" not in log
    lines = [json.loads(line) for line in log.splitlines()]
    assert [line["status"] for line in lines if line["message"] == "request"] == [200, 400]
