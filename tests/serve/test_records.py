"""What a server keeps of texts and answers: nothing unless asked, and masked where it must be."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import tritonclient.grpc
import tritonclient.http
import writers
from tritonclient.utils import InferenceServerException

from takeroot.bundle import Answer, BundleWriter, Spec, open_bundle
from takeroot.bundle.answer import Entity
from takeroot.bundle.chat import Turn
from takeroot.data import read
from takeroot.data.exchanges import exchange_columns, exchanges
from takeroot.privacy import Masker
from takeroot.serve.models import ModelInfo
from takeroot.serve.records import Recorder

Running = Any
Serve = Callable[..., Any]

MAIL = "please refund ann@example.com or call 13812345678"
MASKED = "please refund [EMAIL] or call [MOBILE_CN]"
FAILING = """
from takeroot.privacy import Masker
def fail(self, text):
    raise ValueError(text)
Masker._mask = fail
"""


def recorded(folder: Path, model: str = "shop") -> list[dict[str, Any]]:
    """The lines of the only file of a model."""
    (path,) = (folder / model).iterdir()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d\.jsonl", path.name)
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def marked(bundle: Path, to: Path, name: str) -> None:
    """A copy of a bundle whose texts are to be masked, under another name."""
    old = open_bundle(bundle)
    with BundleWriter(to, created="2026-01-01T00:00:00Z") as writer:
        writer.write_spec(old.spec.model_copy(update={"name": name, "mask": True}))
        for file in ("features.json", "linear.safetensors", "report.html"):
            writer.write_bytes(file, old.read(file))


def infer(library: Any, address: str, *texts: str) -> Any:
    """An answer of ``shop`` by the Open Inference Protocol."""
    with library.InferenceServerClient(address) as client:
        tensor = library.InferInput("text", [len(texts)], "BYTES")
        tensor.set_data_from_numpy(np.array([text.encode() for text in texts], object))
        return client.infer("shop", [tensor], headers={"x-request-id": "v2"})


def test_each_text_is_a_line_with_its_answer(serve: Serve, shop: Path, tmp_path: Path) -> None:
    server = serve(shop, "--record", str(tmp_path / "kept"))

    _, answer = server.predict("where is my parcel", MAIL, x_request_id="a-1")
    assert server.stop() == 0

    lines = recorded(tmp_path / "kept")
    assert [line["text"] for line in lines] == ["where is my parcel", MAIL]
    for line, predicted in zip(lines, answer["predictions"], strict=True):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("time"))
        del line["text"], predicted["probabilities"]
        about = {"request_id": "a-1", "model": "shop", "token": "anonymous", "masked": False}
        assert line == about | {"version": answer["version"]} | predicted


def test_both_forms_of_the_inference_protocol_are_recorded_and_masked(
    serve: Serve, shop: Path, tmp_path: Path
) -> None:
    server = serve(shop, "--grpc-port", "0", "--record", str(tmp_path / "kept"), "--mask")

    infer(tritonclient.http, server.address, MAIL)
    infer(tritonclient.grpc, server.grpc, MAIL, "reset my password please")
    server.stop()

    lines = recorded(tmp_path / "kept")
    texts = [MASKED, MASKED, "reset my password please"]
    assert [(line["text"], line["request_id"]) for line in lines] == [(t, "v2") for t in texts]
    assert [line["label"] for line in lines] == ["refund", "refund", "account"]
    assert all(line["masked"] for line in lines)


def test_nothing_personal_gets_into_any_file_or_log(
    serve: Serve, shop: Path, tmp_path: Path
) -> None:
    names, key = tmp_path / "names.txt", tmp_path / "key"
    names.write_text("# people\nAnn Lee\n王小明\n", encoding="utf-8")
    key.write_bytes(b"0123456789abcdef\n")
    options = ["--mask", "--mask-names", str(names), "--mask-key-file", str(key)]
    server = serve(shop, "--record", str(tmp_path / "kept"), "--log-requests", *options)

    server.predict("Ann@example.com", "我是王小明", "this is ann lee")
    server.stop()

    # printf 'email\nann@example.com' | openssl dgst -sha256 -hmac 0123456789abcdef
    mail, name, other = [line["text"] for line in recorded(tmp_path / "kept")]
    assert mail == "[EMAIL:gmlopdcghignhalj]"
    assert re.fullmatch(r"我是\[NAME:[a-p]{16}\]", name)
    assert re.fullmatch(r"this is \[NAME:[a-p]{16}\]", other)
    server.log.seek(0)
    assert not re.search(r"(?i)ann|王小明", server.log.read())


def test_a_model_that_asks_for_it_is_masked_on_any_server(
    serve: Serve, shop: Path, shop_bundle: Path, tmp_path: Path
) -> None:
    marked(shop_bundle, shop / "shy", "shy")
    server = serve(shop, "--record", str(tmp_path / "kept"))

    server.predict(MAIL)
    server.predict(MAIL, model="shy")
    server.stop()

    (open_line,), (shy_line,) = (recorded(tmp_path / "kept", name) for name in ("shop", "shy"))
    assert (open_line["text"], open_line["masked"]) == (MAIL, False)
    assert (shy_line["text"], shy_line["masked"]) == (MASKED, True)


def test_a_text_that_cannot_be_masked_is_refused_and_nothing_of_it_kept(
    serve: Serve, shop: Path, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(FAILING)
    options = ["--grpc-port", "0", "--record", str(tmp_path / "kept"), "--mask"]
    server = serve(shop, *options, PYTHONPATH=str(tmp_path))

    answers = [server.predict(MAIL) for _ in range(100)]
    with pytest.raises(InferenceServerException, match="could not be masked") as refused:
        infer(tritonclient.grpc, server.grpc, MAIL)
    metrics = server.call("GET", "/metrics")[2].decode()
    server.stop()

    outcomes = {(status, body["error"]["code"]) for status, body in answers}
    assert outcomes == {(503, "masking_failed")}
    assert refused.value.status() == str(grpc.StatusCode.UNAVAILABLE)
    assert list((tmp_path / "kept").iterdir()) == []
    assert re.search(r"^nv_inference_count\{.*\} 0$", metrics, re.MULTILINE)  # none was computed
    server.log.seek(0)
    told = server.log.read()
    assert "masking failed: ValueError" in told
    assert "example.com" not in told


def test_answers_flow_when_they_cannot_be_recorded(
    serve: Serve, shop: Path, tmp_path: Path
) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "shop").touch()  # where the model's folder should be
    server = serve(shop, "--record", str(tmp_path / "kept"))

    statuses = {server.predict("where is my parcel", "refund me now")[0] for _ in range(20)}
    server.stop()

    assert statuses == {200}
    server.log.seek(0)
    told = [json.loads(line)["message"] for line in server.log.read().splitlines()]
    dropped = [line for line in told if "records were dropped" in line]
    assert sum(int(line.split()[0]) for line in dropped) == 40
    assert len(dropped) <= 2  # one at once, one at the end


def test_all_that_was_answered_before_the_end_is_recorded(
    serve: Serve, shop: Path, tmp_path: Path
) -> None:
    server = serve(shop, "--record", str(tmp_path / "kept"))
    answered: list[str] = []

    def ask(client: int) -> None:
        with suppress(OSError):  # until the server is gone
            for number in range(100_000):
                request_id = f"{client}-{number}"
                if server.predict("where is it", x_request_id=request_id)[0] == 200:
                    answered.append(request_id)

    threads = [threading.Thread(target=ask, args=[client]) for client in range(4)]
    for thread in threads:
        thread.start()
    while len(answered) < 100:
        time.sleep(0.01)
    assert server.stop() == 0
    for thread in threads:
        thread.join()

    kept = [line["request_id"] for line in recorded(tmp_path / "kept")]
    assert set(answered) <= set(kept)
    assert len(kept) == len(set(kept))


def test_what_is_dropped_and_written_is_counted(serve: Serve, shop: Path, tmp_path: Path) -> None:
    server = serve(shop, "--record", str(tmp_path / "kept"))

    def counted(what: str) -> int:
        metrics = server.call("GET", "/metrics")[2].decode()
        found = re.search(rf"^takeroot_records_{what}_total (\d+)$", metrics, re.MULTILINE)
        assert found is not None
        return int(found[1])

    def wait_for(what: str, count: int) -> None:
        while counted(what) < count:
            assert server.process.poll() is None

    server.predict("a", "b")
    wait_for("written", 2)
    shutil.rmtree(tmp_path / "kept")
    server.predict("c", "d", "e")
    wait_for("dropped", 3)

    assert (counted("written"), counted("dropped")) == (2, 3)


def test_an_answer_that_was_kept_is_recorded_each_time(
    serve: Serve, shop: Path, tmp_path: Path
) -> None:
    server = serve(shop, "--cache", "shop=100", "--record", str(tmp_path / "kept"), "--mask")

    for text in (MAIL, MAIL, "where is my parcel"):
        assert server.predict(text)[0] == 200
    server.stop()

    lines = recorded(tmp_path / "kept")
    assert [line["text"] for line in lines] == [MASKED, MASKED, "where is my parcel"]
    assert lines[0]["confidence"] == lines[1]["confidence"]


def test_a_text_in_pieces_is_masked_as_a_whole_request(
    serve: Serve, shop: Path, tmp_path: Path
) -> None:
    texts = [f"{'x' * 3000} {number} ann@example.com" for number in range(20)]
    server = serve(shop, "--record", str(tmp_path / "kept"), "--mask")

    assert server.predict(*texts)[0] == 200
    server.stop()

    wanted = [text.replace("ann@example.com", "[EMAIL]") for text in texts]
    assert [line["text"] for line in recorded(tmp_path / "kept")] == wanted


def test_entities_stand_where_they_stand_in_the_masked_text(tmp_path: Path) -> None:
    text = "Ann Lee (ann@example.com) of Berlin, 13812345678"
    found = [
        Entity(0, 7, "PER", text[0:7], 0.9),
        Entity(13, 20, "ORG", text[13:20], 0.8),  # within the address
        Entity(29, 35, "LOC", text[29:35], 0.7),
        Entity(29, 41, "LOC", text[29:41], 0.6),  # into the number
    ]
    lines = keep(tmp_path, "tag", [text], [Answer(entities=tuple(found))])

    assert lines[0]["text"] == "[NAME] ([EMAIL]) of Berlin, [MOBILE_CN]"
    assert [(e["start"], e["end"], e["text"], e["label"]) for e in lines[0]["entities"]] == [
        (0, 6, "[NAME]", "PER"),
        (8, 15, "[EMAIL]", "ORG"),
        (20, 26, "Berlin", "LOC"),
        (20, 39, "Berlin, [MOBILE_CN]", "LOC"),
    ]
    assert "label" not in lines[0]


def test_pairs_and_several_labels_are_recorded_whole(tmp_path: Path) -> None:
    pair = keep(tmp_path, "pair", [("is it ann@b.cn?", "no")], [Answer(label="x", confidence=0.5)])
    many = Answer(labels=("x", "y"), probabilities={"x": 0.9, "y": 0.8, "z": 0.1})
    (line,) = keep(tmp_path, "multilabel", ["both"], [many])

    assert (pair[0]["text"], pair[0]["second"], pair[0]["label"]) == ("is it [EMAIL]?", "no", "x")
    assert (line["labels"], "second" in line, "probabilities" in line) == (["x", "y"], False, False)


def test_what_a_model_wrote_is_recorded_as_rows_to_learn_from(
    serve: Serve, talk_bundle: Path, tmp_path: Path
) -> None:
    server = serve(talk_bundle, "--record", str(tmp_path / "kept"), "--workers", "1")
    chat = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "你好"}]
    body = {"inputs": ["hello", chat], "options": {"max_new_tokens": 5}}

    told = json.loads(server.call("POST", "/v1/models/talk/predict", body)[2])["predictions"]
    server.call("POST", "/v1/models/talk/predict", {**body, "options": {"stream": True}})
    server.stop()

    first, second, *streamed = recorded(tmp_path / "kept", "talk")
    assert (first["prompt"], first["response"]) == ("hello", told[0]["text"])
    assert second["messages"] == [*chat, {"role": "assistant", "content": told[1]["text"]}]
    assert [line.get("prompt") for line in streamed] == ["hello", None]
    (file,) = (tmp_path / "kept/talk").iterdir()
    rows = exchanges(read(file), exchange_columns(read(file), "generate")).rows
    assert [row.response for row in rows] == [
        told[1]["text"],
        streamed[1]["messages"][-1]["content"],
    ]


def test_what_a_model_wrote_is_masked_as_well(tmp_path: Path) -> None:
    written = Answer(text="I told ann@example.com", tokens=5, confidence=0.5, reason="max_tokens")

    turns = (Turn("user", "mail to ann@b.cn"),)
    first, second = keep(tmp_path, "generate", [MAIL, turns], [written, written])

    assert (first["prompt"], first["response"]) == (MASKED, "I told [EMAIL]")
    assert [each["content"] for each in second["messages"]] == ["mail to [EMAIL]", "I told [EMAIL]"]
    assert (first["reason"], first["masked"], "label" in first) == ("max_tokens", True, False)


def test_nothing_is_kept_where_what_was_written_cannot_be_masked(tmp_path: Path) -> None:
    written = Answer(text="unreadable", tokens=5, confidence=0.5)

    kept = keep(
        tmp_path, "generate", ["hello"], [written], Masker(recognisers={"odd": Unreadable()})
    )

    assert kept == []


class Unreadable:
    """A recogniser that fails over one word."""

    def spans(self, text: str) -> list[tuple[int, int]]:
        if "unreadable" in text:
            raise ValueError(text)
        return []

    def value(self, piece: str) -> str:
        return piece


def keep(
    folder: Path, task: str, inputs: list[Any], answers: list[Answer], masker: Masker | None = None
) -> list[dict[str, Any]]:
    """The lines of one request, recorded in this process."""
    values: dict[str, Any] = {"name": task, "task": task, "labels": ("x", "y", "z")}
    tag = {"runtime": "onnx", "normalisation": "none"}
    values |= tag if task == "tag" else {"runtime": "linear"}
    spec = Spec.model_validate(writers.generate_spec(name=task) if task == "generate" else values)
    info = ModelInfo(task, "0123456789ab", spec, "0" * 64)

    async def run() -> Recorder:
        recorder = Recorder(folder, masker or Masker(names=["Ann Lee"]), mask=True)
        texts = await recorder.prepare(spec, inputs, asyncio.get_running_loop().time() + 60)
        recorder.keep(info, "t", texts, answers)
        recorder.close()
        return recorder

    recorder = asyncio.run(run())
    assert recorder.written + recorder.dropped == len(answers)
    return recorded(folder, task) if recorder.written else []
