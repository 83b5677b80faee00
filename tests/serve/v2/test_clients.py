"""Every call of tritonclient, in its four forms, against real servers."""

from __future__ import annotations

import asyncio
import inspect
import json
import queue
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import tritonclient.grpc
import tritonclient.grpc.aio
import tritonclient.http
import tritonclient.http.aio
from tritonclient.utils import InferenceServerException

TEXTS = ["my card is lost", "", "我的卡丢了 ü", "please help " * 30]
LABELS = ("lost", "where", "pin", "hilfe-ü", "其他")
FORMS = {
    "http": tritonclient.http,
    "grpc": tritonclient.grpc,
    "http.aio": tritonclient.http.aio,
    "grpc.aio": tritonclient.grpc.aio,
}
LOCAL = {  # what calls nobody
    "close",
    "generate_request_body",
    "parse_response_body",
    "plugin",
    "register_plugin",
    "unregister_plugin",
    "start_stream",
    "stop_stream",
}
UNSUPPORTED = ("501", "StatusCode.UNIMPLEMENTED")


@dataclass
class Driver:
    """A client of one form."""

    form: str
    servers: Any

    def call(self, name: str, *args: Any, **options: Any) -> Any:
        """The result of one call, awaited where that is needed."""
        if not self.form.endswith("aio"):
            with self._client() as client:
                return getattr(client, name)(*args, **options)

        async def run() -> Any:
            async with self._client() as client:
                return await getattr(client, name)(*args, **options)

        return asyncio.run(run())

    def asked(self, name: str, *args: Any, **options: Any) -> Any:
        """The result of a call as plain values."""
        if self.form.startswith("grpc"):
            options["as_json"] = True
        return self.call(name, *args, **options)

    def input(self, texts: list[str], name: str = "text") -> Any:
        """An input tensor."""
        tensor = FORMS[self.form].InferInput(name, [len(texts)], "BYTES")
        tensor.set_data_from_numpy(np.array([each.encode() for each in texts], object))
        return tensor

    def infer(self, texts: list[str], model: str = "classify", **options: Any) -> Any:
        """The answers to texts."""
        return self.call("infer", model, [self.input(texts)], **options)

    def _client(self) -> Any:
        address = self.servers.grpc if self.form.startswith("grpc") else self.servers.rest
        return FORMS[self.form].InferenceServerClient(address)


@pytest.fixture(params=FORMS)
def driver(request: pytest.FixtureRequest, servers: Any) -> Iterator[Driver]:
    """A client of each form; models that it unloads are there again for the next test."""
    yield Driver(request.param, servers)
    servers.service.hidden.clear()


def _true(driver: Driver, name: str) -> None:
    args = ("classify",) if name == "is_model_ready" else ()
    assert driver.call(name, *args) is True


def _server_metadata(driver: Driver, name: str) -> None:
    found = driver.asked(name)
    assert found["name"] == "takeroot"
    assert "binary_tensor_data" in found["extensions"]


def _model_metadata(driver: Driver, name: str) -> None:
    found = driver.asked(name, "pair")
    assert [each["name"] for each in found["inputs"]] == ["text", "second"]
    (wide,) = [each for each in found["outputs"] if each["name"] == "probabilities"]
    assert (wide["datatype"], list(map(int, wide["shape"]))) == ("FP32", [-1, 5])
    assert len(found["versions"][0]) == 12


def _model_config(driver: Driver, name: str) -> None:
    found = driver.asked(name, "classify")
    found = found.get("config", found)
    assert found["backend"] == "takeroot"
    assert [each["data_type"] for each in found["output"]][:2] == ["TYPE_STRING", "TYPE_FP32"]


def _index(driver: Driver, name: str) -> None:
    found = driver.asked(name)
    found = found["models"] if isinstance(found, dict) else found
    assert {each["name"]: each["state"] for each in found}["tag"] == "READY"


def _statistics(driver: Driver, name: str) -> None:
    driver.infer(["a", "b"])
    found = driver.asked(name, "classify")["model_stats"]
    assert [each["name"] for each in found] == ["classify"]
    assert int(found[0]["inference_count"]) >= 2
    assert int(found[0]["inference_stats"]["success"]["count"]) >= 1
    assert len(driver.asked(name)["model_stats"]) == 4


def _unload(driver: Driver, name: str) -> None:
    driver.call(name, "tag")
    assert driver.call("is_model_ready", "tag") is False
    assert driver.call("is_server_ready") is True


def _load(driver: Driver, name: str) -> None:
    driver.call("unload_model", "tag")
    driver.call(name, "tag")
    assert driver.call("is_model_ready", "tag") is True


def _infer(driver: Driver, name: str) -> None:
    expected = driver.servers.service.predictors["classify"].predict(TEXTS)
    found = driver.infer(TEXTS, request_id="r1")
    assert [each.decode() for each in found.as_numpy("label")] == [each.label for each in expected]
    np.testing.assert_allclose(
        found.as_numpy("probabilities"),
        [list(each.probabilities.values()) for each in expected],
        rtol=1e-6,
    )
    assert found.as_numpy("abstained").tolist() == [each.abstained for each in expected]
    assert found.as_numpy("confidence").dtype == np.float32


def _async_infer(driver: Driver, name: str) -> None:
    inputs = [driver.input(["a"])]
    with driver._client() as client:
        if driver.form == "http":
            found = client.async_infer("classify", inputs).get_result()
        else:
            answers: queue.Queue[Any] = queue.Queue()
            client.async_infer(
                "classify", inputs, lambda result, error: answers.put(result or error)
            )
            found = answers.get(timeout=30)
    assert found.as_numpy("label").shape == (1,)


def _async_stream_infer(driver: Driver, name: str) -> None:
    answers: queue.Queue[Any] = queue.Queue()
    with driver._client() as client:
        client.start_stream(lambda result, error: answers.put((result, error)))
        for number in range(40):
            client.async_stream_infer(
                "classify", [driver.input([f"card {number}"])], request_id=str(number)
            )
        found = [answers.get(timeout=30) for _ in range(40)]
        client.stop_stream()
    assert [error for _, error in found] == [None] * 40
    assert [result.get_response().id for result, _ in found] == [str(k) for k in range(40)]
    assert found[0][0].get_response().parameters["triton_final_response"].bool_param


def _stream_infer(driver: Driver, name: str) -> None:
    async def requests() -> Any:
        for number, model in enumerate(["classify", "nobody", "multilabel"]):
            inputs = [driver.input(["a"])]
            yield {"model_name": model, "inputs": inputs, "request_id": str(number)}

    async def run() -> list[Any]:
        async with driver._client() as client:
            return [each async for each in client.stream_infer(requests())]

    first, second, third = asyncio.run(run())
    assert first[1] is None
    assert "no such model" in str(second[1])
    assert json.loads(third[0].as_numpy("labels")[0]) is not None


def _unsupported(*args: Any) -> Callable[[Driver, str], None]:
    def check(driver: Driver, name: str) -> None:
        with pytest.raises(InferenceServerException) as caught:
            driver.call(name, *args)
        assert caught.value.status() in UNSUPPORTED

    return check


CONFORMANCE: dict[str, Callable[[Driver, str], None]] = {
    "is_server_live": _true,
    "is_server_ready": _true,
    "is_model_ready": _true,
    "get_server_metadata": _server_metadata,
    "get_model_metadata": _model_metadata,
    "get_model_config": _model_config,
    "get_model_repository_index": _index,
    "get_inference_statistics": _statistics,
    "load_model": _load,
    "unload_model": _unload,
    "infer": _infer,
    "async_infer": _async_infer,
    "async_stream_infer": _async_stream_infer,
    "stream_infer": _stream_infer,
    "get_trace_settings": _unsupported(),
    "update_trace_settings": _unsupported("classify", {"trace_rate": "1"}),
    "get_log_settings": _unsupported(),
    "update_log_settings": _unsupported({"log_info": True}),
    "get_system_shared_memory_status": _unsupported(),
    "register_system_shared_memory": _unsupported("r", "/r", 8),
    "unregister_system_shared_memory": _unsupported("r"),
    "get_cuda_shared_memory_status": _unsupported(),
    "register_cuda_shared_memory": _unsupported("r", b"aGFuZGxl", 0, 8),
    "unregister_cuda_shared_memory": _unsupported("r"),
}


def calls(form: str) -> list[str]:
    """The calls a client of this form has."""
    members = inspect.getmembers(FORMS[form].InferenceServerClient, inspect.isroutine)
    return [name for name, _ in members if not name.startswith("_") and name not in LOCAL]


@pytest.mark.parametrize(
    ("driver", "name"),
    [(form, name) for form in FORMS for name in calls(form)],
    indirect=["driver"],
)
def test_every_call_of_every_client_works(driver: Driver, name: str) -> None:
    CONFORMANCE[name](driver, name)


def test_no_entry_is_for_a_call_that_is_not_there() -> None:
    assert set(CONFORMANCE) == {name for form in FORMS for name in calls(form)}


def test_pairs_are_answered(driver: Driver) -> None:
    expected = driver.servers.service.predictors["pair"].predict([("a", "b"), ("card", "pin")])
    inputs = [driver.input(["b", "pin"], "second"), driver.input(["a", "card"])]

    found = driver.call("infer", "pair", inputs)

    assert [each.decode() for each in found.as_numpy("label")] == [each.label for each in expected]


def test_several_labels_come_as_json(driver: Driver) -> None:
    expected = driver.servers.service.predictors["multilabel"].predict(TEXTS)

    found = driver.infer(TEXTS, "multilabel")

    lists = [json.loads(each) for each in found.as_numpy("labels")]
    assert lists == [list(each.labels) for each in expected]
    assert any(lists)


def test_entities_come_as_json(driver: Driver) -> None:
    found = driver.infer(["ann is in berlin", "my card"], "tag")

    first, second = (json.loads(each) for each in found.as_numpy("entities"))
    assert [(each["text"], each["label"], each["start"]) for each in first] == [
        ("ann", "PER", 0),
        ("berlin", "LOC", 10),
    ]
    assert second == []


def test_wanted_outputs_and_classes_are_honoured(driver: Driver) -> None:
    library = FORMS[driver.form]
    outputs = [library.InferRequestedOutput("probabilities", class_count=2)]

    found = driver.infer(["my card is lost"], outputs=outputs)

    best = found.as_numpy("probabilities")[0, 0].decode()
    (answer,) = driver.servers.service.predictors["classify"].predict(["my card is lost"])
    index = LABELS.index(answer.label)
    assert best == f"{answer.confidence:f}:{index}:{answer.label}"
    assert found.as_numpy("label") is None


def test_a_version_can_be_named(driver: Driver) -> None:
    version = driver.servers.service.find("classify").version

    assert driver.infer(["a"], model_version=version).as_numpy("label").shape == (1,)
    with pytest.raises(InferenceServerException) as caught:
        driver.infer(["a"], model_version="1")
    assert caught.value.status() in ("404", "StatusCode.NOT_FOUND")


@pytest.mark.parametrize("algorithm", ["gzip", "deflate"])
def test_requests_and_responses_may_be_packed(driver: Driver, algorithm: str) -> None:
    if driver.form.startswith("grpc"):
        options = {"compression_algorithm": algorithm}
    else:
        options = {
            "request_compression_algorithm": algorithm,
            "response_compression_algorithm": algorithm,
        }

    found = driver.infer(TEXTS * 20, **options)

    assert found.as_numpy("label").shape == (80,)


@pytest.mark.parametrize("form", ["http", "http.aio"])
@pytest.mark.parametrize("binary", [(True, False), (False, True), (False, False)])
def test_rest_takes_and_gives_json_and_binary_alike(
    servers: Any, form: str, binary: tuple[bool, bool]
) -> None:
    driver, library = Driver(form, servers), FORMS[form]
    tensor = library.InferInput("text", [2, 1], "BYTES")
    values = np.array([["我的卡".encode()], [b""]], object)
    tensor.set_data_from_numpy(values, binary_data=binary[0])
    outputs = [
        library.InferRequestedOutput(name, binary_data=binary[1])
        for name in ("label", "probabilities", "abstained")
    ]

    found = driver.call("infer", "classify", [tensor], outputs=outputs)

    assert found.as_numpy("label").shape == (2,)
    assert found.as_numpy("probabilities").shape == (2, 5)
    assert found.as_numpy("abstained").dtype == np.bool_


def test_a_request_that_cannot_be_answered_is_told_why(driver: Driver) -> None:
    with pytest.raises(InferenceServerException) as caught:
        driver.call("infer", "classify", [driver.input(["a"], "txt")])

    assert caught.value.status() in ("400", "StatusCode.INVALID_ARGUMENT")
    assert "the inputs of this model are: text" in caught.value.message()


def test_shared_memory_is_refused(driver: Driver) -> None:
    tensor = FORMS[driver.form].InferInput("text", [1], "BYTES")
    tensor.set_shared_memory("region", 8)

    with pytest.raises(InferenceServerException) as caught:
        driver.call("infer", "classify", [tensor])

    assert caught.value.status() in UNSUPPORTED
