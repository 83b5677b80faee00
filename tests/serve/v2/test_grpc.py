"""gRPC: deadlines, clients that leave, streams, health, and faults of ours."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest

from takeroot.serve.caller import Gate
from takeroot.serve.v2.grpc import WINDOW
from takeroot.serve.v2.messages import HEALTH, INFERENCE, message, methods
from takeroot.serve.v2.tensors import join

WAIT, BOOM = "wait for ever", "boom"  # texts the small service treats so
PATIENCE_S = 30
Request = message("inference.ModelInferRequest")
Tensor = message("inference.ModelInferRequest.InferInputTensor")


def request(*texts: str, **values: Any) -> Any:
    """An inference request."""
    tensor = Tensor(name="text", datatype="BYTES", shape=[len(texts)])
    raw = join([each.encode() for each in texts])
    return Request(model_name="classify", inputs=[tensor], raw_input_contents=[raw], **values)


@pytest.fixture
def channel(servers: Any) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(servers.grpc) as found:
        yield found


@pytest.fixture
def call(channel: grpc.Channel) -> Callable[..., Any]:
    """Gives the function for a call of the protocol."""

    def give(name: str, service: str = INFERENCE) -> Any:
        (method,) = [each for each in methods(service) if each.name == name]
        kind = "_".join("stream" if each else "unary" for each in method.streams)
        return getattr(channel, kind)(
            f"/{service}/{name}", method.request.SerializeToString, method.response.FromString
        )

    return give


def until(condition: Callable[[], bool]) -> None:
    """Wait until something is so."""
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, "it never came to be so"
        time.sleep(0.005)


def test_every_output_comes_raw(call: Callable[..., Any]) -> None:
    found = call("ModelInfer")(request("my card", "", id="r1"))

    assert (found.id, found.model_name, len(found.model_version)) == ("r1", "classify", 12)
    assert len(found.raw_output_contents) == len(found.outputs) == 5
    assert not any(each.HasField("contents") for each in found.outputs)


def test_typed_contents_are_read_too(call: Callable[..., Any]) -> None:
    asked = request("my card", "我的")
    raw = call("ModelInfer")(asked)
    del asked.raw_input_contents[:]
    asked.inputs[0].contents.bytes_contents.extend([b"my card", "我的".encode()])

    assert call("ModelInfer")(asked) == raw


def test_a_long_answer_is_whole(call: Callable[..., Any]) -> None:
    found = call("ModelInfer")(request(*["card"] * 200, id="r" * 300))

    assert found.id == "r" * 300
    assert [len(each) for each in found.raw_output_contents][1:4] == [800, 4000, 200]


def test_a_deadline_reaches_the_service(servers: Any, call: Callable[..., Any]) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        call("ModelInfer")(request(WAIT), timeout=0.2)

    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    until(lambda: servers.service.waiting == 0)


def test_the_requests_own_time_is_honoured(call: Callable[..., Any]) -> None:
    asked = request(WAIT)
    asked.parameters["timeout"].int64_param = 50_000

    with pytest.raises(grpc.RpcError) as caught:
        call("ModelInfer")(asked, timeout=PATIENCE_S)

    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert "ran out" in caught.value.details()


def test_a_client_that_leaves_frees_its_place(servers: Any, call: Callable[..., Any]) -> None:
    started = call("ModelInfer").future(request(WAIT))
    until(lambda: servers.service.waiting == 1)

    started.cancel()

    until(lambda: servers.service.waiting == 0)


def test_a_stream_that_is_cancelled_frees_all_its_places(
    servers: Any, call: Callable[..., Any]
) -> None:
    started = call("ModelStreamInfer")(iter([request(WAIT)] * 5))
    until(lambda: servers.service.waiting == 5)

    started.cancel()

    until(lambda: servers.service.waiting == 0)


def test_a_stream_starts_a_window_of_requests_and_no_more(
    servers: Any, call: Callable[..., Any]
) -> None:
    started = call("ModelStreamInfer")(iter([request(WAIT)] * 100))
    until(lambda: servers.service.waiting == WINDOW)

    call("ModelInfer")(request("card"))
    most = servers.service.waiting
    started.cancel()

    assert most == WINDOW
    until(lambda: servers.service.waiting == 0)


def test_a_stream_answers_in_order_and_goes_on_after_an_error(call: Callable[..., Any]) -> None:
    asked = [request("card", id=str(number)) for number in range(30)]
    asked[7].inputs[0].shape[:] = [2]
    asked[11] = request(BOOM, id="11")

    found = list(call("ModelStreamInfer")(iter(asked), timeout=PATIENCE_S))

    assert [each.infer_response.id for each in found] == [str(number) for number in range(30)]
    wrong = {number for number, each in enumerate(found) if each.error_message}
    assert wrong == {7, 11}
    assert BOOM not in found[11].error_message


def test_a_stream_ends_with_the_server_after_what_it_accepted(
    servers: Any, call: Callable[..., Any]
) -> None:
    held = threading.Event()

    def requests() -> Iterator[Any]:
        yield request("card", id="1")
        held.wait(PATIENCE_S)

    stream = call("ModelStreamInfer")(requests(), timeout=PATIENCE_S)
    first = next(stream)
    servers.service.draining = True
    try:
        with pytest.raises(grpc.RpcError) as caught:
            next(stream)
    finally:
        servers.service.draining = False
        held.set()

    assert first.infer_response.id == "1"
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


def test_a_call_to_a_server_that_ends_waits_for_its_refusal_until_the_end(
    servers: Any, call: Callable[..., Any]
) -> None:
    servers.service.closing = ends = asyncio.Event()
    try:
        asked = call("ModelInfer").future(request("card"))
        live = call("ServerLive")(message("inference.ServerLiveRequest")()).live
        waits = not asked.done()
        servers.loop.call_soon_threadsafe(ends.set)
        code = asked.exception(PATIENCE_S).code()
    finally:
        servers.service.closing = None

    assert (live, waits, code) == (True, True, grpc.StatusCode.UNAVAILABLE)


def test_a_fault_of_ours_is_internal_and_logged_without_the_text(
    call: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR), pytest.raises(grpc.RpcError) as caught:
        call("ModelInfer")(request(BOOM))

    assert caught.value.code() is grpc.StatusCode.INTERNAL
    assert BOOM not in caught.value.details() + caplog.text
    assert "ModelInfer failed: RuntimeError at conftest.py:" in caplog.text


def test_health_is_that_of_the_service(servers: Any, call: Callable[..., Any]) -> None:
    check = call("Check", HEALTH)
    asked = message("grpc.health.v1.HealthCheckRequest")

    assert check(asked()).status == check(asked(service=INFERENCE)).status == 1
    servers.service.healthy = False
    try:
        assert check(asked()).status == 2
    finally:
        servers.service.healthy = True
    with pytest.raises(grpc.RpcError) as caught:
        check(asked(service="nobody"))
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


def test_health_can_be_watched_until_it_is_lost(servers: Any, call: Callable[..., Any]) -> None:
    watched = call("Watch", HEALTH)(message("grpc.health.v1.HealthCheckRequest")(), timeout=30)
    first = next(watched).status
    servers.service.healthy = False
    try:
        rest = [each.status for each in watched]
    finally:
        servers.service.healthy = True

    assert (first, rest) == (1, [2])


def test_a_watcher_of_nothing_is_told_so(call: Callable[..., Any]) -> None:
    asked = message("grpc.health.v1.HealthCheckRequest")(service="nobody")

    watched = call("Watch", HEALTH)(asked)

    assert next(watched).status == 3
    watched.cancel()


def test_a_refusal_says_when_to_come_again(
    run_servers: Callable[[Gate], Any], service: Any
) -> None:
    from takeroot.serve.faults import ServeError

    async def full(*_: Any, **__: Any) -> None:
        raise ServeError("overloaded", retry_after_s=2.4)

    service.predict = full
    servers = run_servers(Gate(None))

    with grpc.insecure_channel(servers.grpc) as channel, pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary(f"/{INFERENCE}/ModelInfer")(request("a").SerializeToString())

    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert dict(caught.value.trailing_metadata())["retry-after"] == "3"
