"""REST, called as a server calls it."""

from __future__ import annotations

import asyncio
import gzip
import inspect
import json
import logging
from typing import Any

import pytest

from takeroot.serve.service import Service
from takeroot.serve.v2 import scope_of
from takeroot.serve.v2.rest import ROUTES

BOOM = "boom"  # a text the small service fails at

INFER = "/v2/models/classify/infer"


def call(
    service: Any,
    path: str = INFER,
    body: Any = b"",
    method: str = "POST",
    **headers: Any,
) -> tuple[int, dict[str, str], Any]:
    """Status, headers and JSON of a response."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-").encode(): str(each).encode() for name, each in headers.items()}
    status, own, found = asyncio.run(service.respond(method, path, named, data))
    plain = {key.decode(): value.decode() for key, value in own}
    length = int(plain.get("inference-header-content-length", len(found)))
    if plain.get("content-encoding"):
        return status, plain, found
    return status, plain, (json.loads(found[:length]) if found else None)


def request(*texts: str, **values: Any) -> dict[str, Any]:
    """An inference request in JSON."""
    tensor = {"name": "text", "datatype": "BYTES", "shape": [len(texts)], "data": list(texts)}
    return {"inputs": [tensor], **values}


def test_the_small_service_of_these_tests_is_shaped_like_the_real_one(service: Any) -> None:
    for name in ("models", "find", "predict", "live", "ready", "load", "unload", "statistics"):
        small, real = getattr(type(service), name), getattr(Service, name)
        assert list(inspect.signature(small).parameters) == list(inspect.signature(real).parameters)
        assert inspect.iscoroutinefunction(small) is inspect.iscoroutinefunction(real)


def test_texts_are_answered_in_their_order(service: Any) -> None:
    texts = ["my card is lost", "", "我的卡"]
    expected = service.predictors["classify"].predict(texts)

    status, headers, found = call(service, body=request(*texts, id="r1"))

    assert (status, headers["content-type"]) == (200, "application/json")
    assert (found["id"], found["model_name"]) == ("r1", "classify")
    outputs = {each["name"]: each for each in found["outputs"]}
    assert list(outputs) == ["label", "confidence", "probabilities", "abstained", "reason"]
    assert outputs["label"]["data"] == [each.label for each in expected]
    assert outputs["probabilities"]["shape"] == [3, 5]
    assert outputs["reason"]["data"] == [each.reason or "" for each in expected]


def test_only_the_wanted_outputs_come_back_in_the_wanted_order(service: Any) -> None:
    outputs = [{"name": "abstained"}, {"name": "label"}]

    _, _, found = call(service, body=request("a", outputs=outputs))

    assert [each["name"] for each in found["outputs"]] == ["abstained", "label"]


def test_a_column_of_texts_is_as_good_as_a_list(service: Any) -> None:
    tensor = {"name": "text", "datatype": "BYTES", "shape": [2, 1], "data": [["a"], ["b"]]}

    status, _, found = call(service, body={"inputs": [tensor]})

    assert (status, found["outputs"][0]["shape"]) == (200, [2])


def test_a_body_without_json_is_one_text(service: Any) -> None:
    status, headers, found = call(
        service, body="我的 card".encode(), inference_header_content_length=0
    )

    assert (status, headers["content-type"]) == (200, "application/octet-stream")
    assert found["outputs"][0]["shape"] == [1]


def test_a_packed_request_is_answered_packed_where_that_is_wanted(service: Any) -> None:
    body = gzip.compress(json.dumps(request(*["card"] * 40)).encode())

    status, headers, packed = call(
        service, body=body, content_encoding="gzip", accept_encoding="gzip"
    )

    assert (status, headers["content-encoding"]) == (200, "gzip")
    assert len(json.loads(gzip.decompress(packed))["outputs"][0]["data"]) == 40


@pytest.mark.parametrize("headers", [{"x_request_timeout_ms": 5000}, {}])
def test_the_time_a_request_allows_reaches_the_service(
    service: Any, headers: dict[str, Any]
) -> None:
    parameters = {} if headers else {"timeout": 5_000_000}

    call(service, body=request("a", parameters=parameters), **headers)

    assert service.deadlines[0] is not None


def test_no_time_given_leaves_it_to_the_service(service: Any) -> None:
    call(service, body=request("a"))

    assert service.deadlines == [None]


def test_a_fault_of_ours_is_told_by_its_code_and_logged_without_the_text(
    service: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        status, _, found = call(service, body=request(BOOM))

    assert (status, list(found)) == (500, ["error"])
    assert BOOM not in found["error"]
    assert "RuntimeError at conftest.py:" in caplog.text
    assert BOOM not in caplog.text


def test_an_unknown_model_is_not_found_and_the_known_ones_are_named(service: Any) -> None:
    status, _, found = call(service, "/v2/models/nobody/infer", request("a"))

    assert status == 404
    assert "classify" in found["error"]


def test_a_wrong_method_is_told_the_right_one(service: Any) -> None:
    status, headers, _ = call(service, method="GET")

    assert (status, headers["allow"]) == (405, "POST")


@pytest.mark.parametrize("path", ["/v2/", "/v2/models", "/v2/models//infer", "/v2/nothing", "/v3"])
def test_what_is_not_in_the_table_does_not_exist(service: Any, path: str) -> None:
    assert call(service, path)[0] == 404
    assert scope_of("POST", path) is None


def test_only_the_probes_of_the_server_are_open() -> None:
    opened = [route.path for route in ROUTES if route.scope == "none"]

    assert opened == ["/v2/health/live", "/v2/health/ready"]
    assert {route.scope for route in ROUTES} == {"none", "predict", "models"}


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.methods[0]} {route.path}")
def test_every_route_is_found_at_its_own_address(route: Any) -> None:
    path = route.path.format(model="m", version="1", region="r", repository="q")

    assert scope_of("GET", path) == route.scope


@pytest.mark.parametrize("kind", ["text/plain", "multipart/form-data; boundary=x", "text/html"])
def test_a_content_type_a_web_page_may_send_unasked_is_refused(service: Any, kind: str) -> None:
    assert call(service, body=request("a"), content_type=kind)[0] == 415
    assert call(service, "/v2/repository/models/classify/unload", content_type=kind)[0] == 415


def test_a_server_that_is_not_ready_says_so(service: Any) -> None:
    service.healthy = False

    assert call(service, "/v2/health/ready", method="GET")[0] == 400
    assert call(service, "/v2/health/live", method="GET")[0] == 200


def test_an_unloaded_model_is_in_the_index_but_not_ready(service: Any) -> None:
    call(service, "/v2/repository/models/tag/unload")

    _, _, everything = call(service, "/v2/repository/index")
    _, _, ready = call(service, "/v2/repository/index", {"ready": True})

    (tag,) = [each for each in everything if each["name"] == "tag"]
    assert (tag["state"], tag["reason"]) == ("UNAVAILABLE", "unloaded")
    assert "tag" not in [each["name"] for each in ready]
    assert call(service, "/v2/models/tag/ready", method="GET")[0] == 400


def test_a_client_may_not_bring_a_configuration_or_files(service: Any) -> None:
    body = {"parameters": {"config": "{}"}}

    assert call(service, "/v2/repository/models/tag/load", body)[0] == 501
