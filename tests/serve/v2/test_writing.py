"""Texts over the V2 protocol: infer, generate and streams, driven by tritonclient."""

from __future__ import annotations

import json
import queue
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tritonclient.grpc
import tritonclient.http
from tritonclient.utils import InferenceServerException

from takeroot import load

LIMITS = ("--workers", "1", "--grpc-port", "0", "--max-new-tokens", "60000")


@pytest.fixture(scope="module")
def folder(tmp_path_factory, talk_bundle, endless_bundle, shop_bundle) -> Path:
    folder = tmp_path_factory.mktemp("models")
    named = {"talk": talk_bundle, "endless": endless_bundle, "shop": shop_bundle}
    for name, bundle in named.items():
        shutil.copytree(bundle, folder / name)
    return folder


@pytest.fixture(scope="module")
def running(serve_a_file, folder):
    return serve_a_file(folder, *LIMITS)


def tensor(library: Any, *texts: str) -> Any:
    made = library.InferInput("text", [len(texts)], "BYTES")
    made.set_data_from_numpy(np.array([text.encode() for text in texts], object))
    return made


@pytest.mark.parametrize("library", [tritonclient.http, tritonclient.grpc])
def test_infer_gives_the_predictors_texts(running, folder, library):
    address = running.grpc if library is tritonclient.grpc else running.address
    expected = load(folder / "talk").predict(["hello world", "你好"], max_new_tokens=5)

    with library.InferenceServerClient(address) as client:
        inputs = [tensor(library, "hello world", "你好")]
        found = client.infer("talk", inputs, parameters={"max_tokens": 5})

    texts = [each.decode() for each in found.as_numpy("text_output")]
    assert texts == [each.text for each in expected]
    np.testing.assert_allclose(
        found.as_numpy("confidence"), [each.confidence for each in expected], rtol=1e-3
    )
    assert [each.decode() for each in found.as_numpy("reason")] == ["max_tokens"] * 2


def test_generate_gives_the_text(running, folder):
    body = {"text_input": "hello world", "parameters": {"max_tokens": 5}, "id": "a"}

    status, _, data = running.call("POST", "/v2/models/talk/generate", body)

    (expected,) = load(folder / "talk").predict(["hello world"], max_new_tokens=5)
    found = json.loads(data)
    assert status == 200
    assert (found["text_output"], found["id"]) == (expected.text, "a")
    assert found["model_name"] == "talk"


def test_generate_stream_gives_its_pieces(running):
    body = {"text_input": "hello world", "max_tokens": 9}

    status, headers, data = running.call("POST", "/v2/models/talk/generate_stream", body)

    whole = json.loads(running.call("POST", "/v2/models/talk/generate", body)[2])["text_output"]
    lines = [line for line in data.decode().split("\n\n") if line]
    pieces = [json.loads(line.removeprefix("data: "))["text_output"] for line in lines]
    assert headers["content-type"] == "text/event-stream; charset=utf-8"
    assert status == 200
    assert "".join(pieces) == whole
    assert len(pieces) > 2


@pytest.mark.parametrize(
    ("model", "body", "status"),
    [
        ("shop", {"text_input": "x"}, 501),
        ("none", {"text_input": "x"}, 404),
        ("talk", {"text": "x"}, 400),
        ("talk", {"text_input": 7}, 400),
        ("talk", {"text_input": "x", "parameters": {"temperature": 0.7}}, 400),
        ("talk", {"text_input": "x", "parameters": {"top_k": 5}}, 400),
        ("talk", {"text_input": "x", "max_tokens": 1, "parameters": {"max_tokens": 2}}, 400),
        ("talk", {"text_input": "x", "max_tokens": 0}, 400),
        ("talk", {"text_input": "hello " * 300}, 400),
    ],
)
@pytest.mark.parametrize("verb", ["generate", "generate_stream"])
def test_what_cannot_be_generated_is_refused(running, verb, model, body, status):
    found = running.call("POST", f"/v2/models/{model}/{verb}", body)

    assert found[0] == status
    assert set(json.loads(found[2])) == {"error"}


def _streamed(address: str, model: str, text: str, **parameters: Any) -> list[Any]:
    """Everything a stream of one request gives."""
    told: queue.Queue[Any] = queue.Queue()
    with tritonclient.grpc.InferenceServerClient(address) as client:
        client.start_stream(lambda result, error: told.put((result, error)))
        inputs = [tensor(tritonclient.grpc, text)]
        client.async_stream_infer(model, inputs, request_id="7", parameters=parameters)
        client.stop_stream()
    return list(told.queue)


def test_a_grpc_stream_gives_pieces_and_then_how_sure_the_model_is(running, folder):
    *pieces, (last, _) = _streamed(running.grpc, "talk", "hello world", stream=True, max_tokens=9)

    (expected,) = load(folder / "talk").predict(["hello world"], max_new_tokens=9)
    texts = [result.as_numpy("text_output")[0].decode() for result, _ in pieces]
    assert "".join(texts) == expected.text
    assert len(texts) > 2
    assert last.get_response().parameters["triton_final_response"].bool_param
    assert last.as_numpy("confidence")[0] == pytest.approx(expected.confidence, rel=1e-3)
    assert not pieces[0][0].get_response().parameters["triton_final_response"].bool_param


def test_a_grpc_stream_of_whole_answers_stays_as_it_is(running, folder):
    ((result, error),) = _streamed(running.grpc, "talk", "hello world")

    (expected,) = load(folder / "talk").predict(["hello world"])
    assert error is None
    assert result.as_numpy("text_output")[0].decode() == expected.text


def test_pieces_are_for_models_that_write(running):
    ((_, error),) = _streamed(running.grpc, "shop", "hello", stream=True)

    assert "cannot be streamed" in str(error)


def test_pieces_are_for_streams(running):
    with tritonclient.grpc.InferenceServerClient(running.grpc) as client:
        inputs = [tensor(tritonclient.grpc, "hello")]
        with pytest.raises(InferenceServerException, match="stream is for streams"):
            client.infer("talk", inputs, parameters={"stream": True})


def test_a_grpc_client_that_leaves_frees_the_worker(running):
    first: queue.Queue[Any] = queue.Queue()
    with tritonclient.grpc.InferenceServerClient(running.grpc) as client:
        client.start_stream(lambda result, error: first.put((result, error)))
        inputs = [tensor(tritonclient.grpc, "hello")]
        client.async_stream_infer("endless", inputs, parameters={"stream": True})
        first.get(timeout=60)
        client.stop_stream(cancel_requests=True)

    assert running.call("POST", "/v2/models/talk/generate", {"text_input": "hello"})[0] == 200


def test_the_metadata_has_the_text(running):
    with tritonclient.http.InferenceServerClient(running.address) as client:
        found = client.get_model_metadata("talk")

    assert found["platform"] == "takeroot_ctranslate2"
    assert [each["name"] for each in found["outputs"]] == ["text_output", "confidence", "reason"]
