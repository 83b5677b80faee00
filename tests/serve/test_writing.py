"""A real server with models that write texts: whole, in pieces, left, late, too many, cut short."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from takeroot import load

CHAT = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "你好"}]
LONG = ("--max-new-tokens", "60000", "--workers", "1")


@pytest.fixture(scope="module")
def folder(tmp_path_factory, talk_bundle, turn_bundle, endless_bundle, shop_bundle) -> Path:
    """Models that write and one of labels, side by side."""
    folder = tmp_path_factory.mktemp("models")
    bundles = {"talk": talk_bundle, "turn": turn_bundle, "endless": endless_bundle}
    for name, bundle in (bundles | {"shop": shop_bundle}).items():
        shutil.copytree(bundle, folder / name)
    return folder


@pytest.fixture(scope="module")
def shared(serve_a_file, folder):
    """One worker, which writes and answers labels."""
    return serve_a_file(folder, *LONG)


def ask(server: Any, model: str, *inputs: Any, headers: Any = None, **options: Any) -> Any:
    """Status and JSON of an answer."""
    body = {"inputs": list(inputs), "options": options}
    status, _, data = server.call("POST", f"/v1/models/{model}/predict", body, **(headers or {}))
    return status, json.loads(data)


@contextmanager
def streaming(server: Any, model: str, *inputs: Any, headers: Any = None, **options: Any) -> Any:
    """The response to a request for a stream; leaving the block leaves the server."""
    connection = server.connect()
    body = json.dumps({"inputs": list(inputs), "options": {"stream": True, **options}})
    sent = {"content-type": "application/json", **(headers or {})}
    connection.request("POST", f"/v1/models/{model}/predict", body, sent)
    try:
        yield connection.getresponse()
    finally:
        connection.sock.close() if connection.sock else None
        connection.close()


def events(response: http.client.HTTPResponse) -> Iterator[str]:
    """The data of each event."""
    while line := response.readline():
        if line.startswith(b"data: "):
            yield line.removeprefix(b"data: ").decode().rstrip("\n")


@pytest.mark.parametrize("model", ["talk", "turn"])
def test_texts_are_those_of_the_predictor(shared, folder, model):
    status, found = ask(shared, model, "hello world", "where is my parcel", "")

    expected = load(folder / model).predict(["hello world", "where is my parcel", ""])
    assert status == 200
    assert [each["text"] for each in found["predictions"]] == [each.text for each in expected]
    assert set(found["predictions"][0]) == {"text", "tokens", "confidence", "abstained", "reason"}


def test_chats_are_answered(shared, folder):
    status, found = ask(shared, "talk", CHAT, max_new_tokens=5)

    (expected,) = load(folder / "talk").predict([CHAT], max_new_tokens=5)
    assert status == 200
    assert found["predictions"][0]["text"] == expected.text


def test_pieces_come_first_and_the_whole_answer_at_last(shared):
    with streaming(shared, "talk", "hello world", CHAT) as response:
        *pieces, last, done = events(response)

    whole = ask(shared, "talk", "hello world", CHAT)[1]
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert done == "[DONE]"
    assert [each["text"] for each in json.loads(last)["predictions"]] == [
        each["text"] for each in whole["predictions"]
    ]
    told = [json.loads(piece) for piece in pieces]
    for place, answer in enumerate(whole["predictions"]):
        assert "".join(e["text"] for e in told if e["input"] == place) == answer["text"]


def test_a_client_that_leaves_frees_the_worker(shared):
    for _ in range(3):
        with streaming(shared, "endless", "hello") as response:
            next(events(response))

    assert ask(shared, "talk", "hello")[0] == 200  # the one worker would write for minutes


def test_labels_are_answered_while_a_text_is_written(shared):
    with streaming(shared, "endless", "hello") as response:
        told = events(response)
        next(told)
        status, found = shared.predict("where is my parcel")
        next(told)

    assert status == 200
    assert found["predictions"][0]["label"] == "delivery"


def test_a_text_that_takes_too_long_is_refused(shared):
    status, found = ask(shared, "endless", "hello", headers={"x-request-timeout-ms": "300"})

    assert (status, found["error"]["code"]) == (504, "deadline_exceeded")


def test_a_stream_that_takes_too_long_says_so_and_ends(shared):
    late = {"x-request-timeout-ms": "500"}
    with streaming(shared, "endless", "hello", headers=late) as response:
        *pieces, last = events(response)

    assert response.status == 200
    assert pieces
    assert json.loads(last)["error"]["code"] == "deadline_exceeded"
    assert json.loads(last)["error"]["request_id"] == response.headers["x-request-id"]


@pytest.mark.parametrize(
    ("model", "item", "options", "code"),
    [
        ("talk", "hello " * 300, {}, "prompt_too_long"),
        ("talk", "hello " * 300, {"stream": True}, "prompt_too_long"),
        ("talk", "x" * 65_537, {}, "text_too_long"),
        ("talk", [{"role": "user", "content": "x" * 65_537}], {}, "text_too_long"),
        ("talk", "x", {"max_new_tokens": 60_001}, "too_many_new_tokens"),
        ("talk", "x", {"max_new_tokens": 60_001, "stream": True}, "too_many_new_tokens"),
        ("talk", "x", {"max_new_tokens": 0}, "invalid_request"),
        ("talk", "x", {"top_k": 1}, "invalid_request"),
        ("talk", ["x", "y"], {}, "invalid_request"),
        ("talk", [], {}, "invalid_request"),
        ("talk", CHAT[:1], {}, "invalid_request"),
        ("talk", [{"role": "tool", "content": "x"}], {}, "invalid_request"),
        ("talk", [{"role": "user", "content": "x", "name": "y"}], {}, "invalid_request"),
        ("turn", CHAT, {}, "invalid_request"),
        ("shop", "x", {"stream": True}, "invalid_request"),
        ("shop", "x", {"max_new_tokens": 3}, "invalid_request"),
        ("shop", CHAT, {}, "invalid_request"),
    ],
)
def test_what_cannot_be_asked_is_refused_before_anything_is_sent(
    shared, model, item, options, code
):
    status, found = ask(shared, model, item, **options)

    assert (status, found["error"]["code"]) == (400, code)
    assert "Be brief" not in found["error"]["message"]


def test_a_stream_of_no_model_is_refused_for_that(shared):
    status, found = ask(shared, "none", "x", stream=True)

    assert (status, found["error"]["code"]) == (404, "unknown_model")


def test_tokens_read_and_written_are_counted(serve, folder):
    server = serve(folder, "--workers", "1")
    answer = ask(server, "talk", "hello", max_new_tokens=7)[1]["predictions"][0]
    written = answer["tokens"]

    (row,) = json.loads(server.call("GET", "/v1/usage")[2])["usage"]
    metrics = server.call("GET", "/metrics")[2].decode().splitlines()

    (line,) = [
        each
        for each in metrics
        if each.startswith("takeroot_written_tokens_total{")
        if "talk" in each
    ]
    assert float(line.split()[-1]) == written > 0
    assert row["texts"] == 1
    assert row["tokens"] > written + 20  # the frames alone are more


def test_beyond_what_may_wait_requests_are_refused(serve, folder):
    server = serve(folder, *LONG, "--queue-answers", "1")
    with ThreadPoolExecutor() as pool, streaming(server, "endless", "hello") as response:
        next(events(response))
        waits = pool.submit(ask, server, "talk", "hello")
        while not _waiting(server):
            pass

        status, headers, body = server.call(
            "POST", "/v1/models/talk/predict", {"inputs": ["hello"]}
        )

    assert (status, json.loads(body)["error"]["code"]) == (429, "overloaded")
    assert headers["retry-after"] == "1"
    assert waits.result()[0] == 200


def _waiting(server: Any) -> bool:
    lines = server.call("GET", "/metrics")[2].decode().splitlines()
    return "takeroot_waiting_answers 1" in lines


def test_a_worker_that_dies_ends_its_streams_with_an_error_and_is_replaced(serve, folder):
    server = serve(folder, *LONG)
    with streaming(server, "endless", "hello") as response:
        told = events(response)
        next(told)
        os.kill(server.workers()[0], signal.SIGKILL)
        *_, last = told

    assert json.loads(last)["error"]["code"] == "interrupted"
    assert ask(server, "talk", "hello")[0] == 200


def test_a_server_that_ends_finishes_what_it_writes(serve, folder):
    server = serve(folder, "--workers", "1", "--max-new-tokens", "3000")
    with streaming(server, "endless", "hello", max_new_tokens=3000) as response:
        told = events(response)
        next(told)
        server.process.send_signal(signal.SIGTERM)
        *_, last, done = told

    assert json.loads(last)["predictions"][0]["tokens"] == 3000
    assert done == "[DONE]"
    assert server.process.wait(60) == 0


def test_only_workers_load_the_engine_and_only_for_models_that_write(shared, serve, shop_bundle):
    labels = serve(shop_bundle, "--workers", "1")

    def loaded(pid: int) -> bool:
        return "ctranslate2" in Path(f"/proc/{pid}/maps").read_text()

    assert loaded(shared.workers()[0])
    assert not loaded(shared.process.pid)
    assert not loaded(labels.workers()[0])


def test_texts_are_not_kept(folder, tmp_path, takeroot_serve):
    said = takeroot_serve(folder / "talk", "--cache", "talk=10", cwd=tmp_path)

    assert "error: --cache talk: writes texts, which are not kept; leave it out" in said


@pytest.fixture
def takeroot_serve():
    """Runs ``takeroot serve`` and gives what it says on stderr when it does not start."""

    def run(bundle: Path, *options: str, cwd: Path) -> str:
        tool = Path(sys.executable).with_name("takeroot")
        line = [str(tool), "serve", str(bundle), "--port", "0", "--grpc-port", "-1", *options]
        done = subprocess.run(
            line, capture_output=True, text=True, cwd=cwd, timeout=60, check=False
        )
        assert done.returncode == 1
        return done.stderr

    return run


def test_the_model_says_that_it_writes(shared):
    about = json.loads(shared.call("GET", "/v1/models/talk")[2])

    assert about["writes"] == {"max_new_tokens": 12, "chats": True, "system": True}
    assert "writes" not in json.loads(shared.call("GET", "/v1/models/shop")[2])


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/models/talk/predict", {"inputs": ["x"], "options": {"stream": True}}),
        ("/v2/models/talk/generate", {"text_input": "x"}),
        ("/v2/models/talk/generate_stream", {"text_input": "x"}),
    ],
)
def test_texts_are_written_for_who_may_ask(guarded, path, body):
    server, secrets = guarded
    answers = {
        name: server.call("POST", path, body, authorization=f"Bearer {secret}")
        for name, secret in secrets.items()
    }

    nobody = server.call("POST", path, body)
    statuses = {name: status for name, (status, _, _) in answers.items()}
    assert statuses == {"asks": 200, "watches": 403, "spent": 429}
    assert nobody[0] == 401
    assert "text/event-stream" not in nobody[1]["content-type"]


@pytest.fixture(scope="module")
def guarded(serve_a_file, folder, tmp_path_factory) -> Any:
    """A server with tokens that may ask, may not, and may not any more; their secrets."""
    tokens = tmp_path_factory.mktemp("tokens") / "tokens.json"
    kinds = {"asks": ["predict"], "watches": ["metrics"], "spent": ["predict", "--daily", "1"]}
    secrets = {name: _create(tokens, name, *words) for name, words in kinds.items()}
    server = serve_a_file(folder, "--workers", "1", "--tokens", str(tokens))
    used = {"authorization": f"Bearer {secrets['spent']}"}
    assert ask(server, "talk", "x", headers=used)[0] == 200
    return server, secrets


def _create(tokens: Path, name: str, scope: str, *more: str) -> str:
    tool = Path(sys.executable).with_name("takeroot")
    words = ["token", "create", "--name", name, "--scope", scope, "--tokens", str(tokens), *more]
    made = subprocess.run([tool, *words, "--json"], capture_output=True, check=True)
    return next(v for v in json.loads(made.stdout).values() if str(v).startswith("tkr_"))
