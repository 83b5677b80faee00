"""A worker process: opens bundles and answers texts, one run after the other, on one thread.

Models that write texts do so beside that (``scribe``).

Run as ``python -m takeroot.serve.worker FD`` with one end of a Unix socket pair. It ends when the
other end is closed, so that no worker outlives its server, however that ended.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial

import msgspec

from takeroot.bundle import Answer, Predictor, open_bundle
from takeroot.errors import TakerootError
from takeroot.serve.scribe import Scribe
from takeroot.serve.wire import (
    Broken,
    Done,
    Failed,
    Frames,
    FromWorker,
    Leave,
    Load,
    Loaded,
    Run,
    ToWorker,
    Unload,
    Write,
    frame,
)

NICENESS = 5  # the server's own process comes first: it hands out the next texts, and refuses
_PIECE = 1 << 20
_decoder = msgspec.msgpack.Decoder(ToWorker)
_json = msgspec.json.Encoder()


def main() -> None:
    """Serve the socket whose number is the first argument."""
    for kind in (signal.SIGINT, signal.SIGTERM):  # they reach the whole group; the server drains
        signal.signal(kind, signal.SIG_IGN)
    os.nice(NICENESS)
    models: dict[str, Predictor] = {}
    frames = Frames()
    with suppress(ConnectionError), socket.socket(fileno=int(sys.argv[1])) as server:
        scribe = Scribe(partial(_send, server, threading.Lock()))
        try:
            while data := server.recv(_PIECE):
                for body in frames.feed(data):
                    reply = answer(models, scribe, _decoder.decode(body))
                    if reply is not None:
                        scribe.say(reply)
        finally:
            scribe.end()


def _send(server: socket.socket, lock: threading.Lock, message: FromWorker) -> None:
    """Write the server a message, whole, from any thread."""
    with lock:
        server.sendall(frame(message))


def answer(models: dict[str, Predictor], scribe: Scribe, message: ToWorker) -> FromWorker | None:
    """Do what a message asks for."""
    if isinstance(message, Write):
        scribe.write(message, models.get(message.key))
        return None
    if isinstance(message, Leave):
        scribe.leave(message)
        return None
    if isinstance(message, Load):
        return _load(models, message)
    if isinstance(message, Unload):
        models.pop(message.key, None)
        return None
    return _run(models, message)


def _load(models: dict[str, Predictor], message: Load) -> FromWorker:
    """Open a bundle and answer one text with it, which warms it up."""
    try:
        bundle = open_bundle(message.path, served_only=True)
        predictor = Predictor(bundle, threads=1)
        _warm_up(predictor)
    except TakerootError as error:
        return Failed(message.key, str(error))
    models[message.key] = predictor
    spec = bundle.spec.model_dump_json().encode()
    return Loaded(message.key, bundle.sha256, bundle.manifest.created, spec)


def _warm_up(predictor: Predictor) -> None:
    """Answer one text."""
    if predictor.spec.writes:
        predictor.predict(["warm"], max_new_tokens=1)
    else:
        predictor.predict([("", "") if predictor.spec.task == "pair" else "warm"])


def _run(models: Mapping[str, Predictor], message: Run) -> FromWorker:
    """Answer texts."""
    start = time.perf_counter_ns()
    try:
        predictor = models[message.key]
        outputs = predictor.outputs(message.inputs)
        answers = predictor.answers(outputs, message.inputs)
        as_json = message.form == "json"
        written = [in_json(each, message.top_k) for each in answers] if as_json else []
    except Exception as error:  # whatever it is, the worker goes on with the next run
        return Broken(message.number, type(error).__name__)
    tokens = list(outputs.tokens) or [0] * len(answers)
    spent = time.perf_counter_ns() - start
    abstained = [each.abstained for each in answers]
    return Done(message.number, written, [] if as_json else answers, tokens, abstained, spent)


def in_json(answer: Answer, top_k: int | None) -> bytes:
    """An answer in JSON with its ``top_k`` most probable labels, most probable first."""
    body = answer.to_json()
    if "probabilities" in body and top_k is not None:
        ranked: Callable[[str], float] = body["probabilities"].__getitem__
        kept = sorted(body["probabilities"], key=ranked, reverse=True)[:top_k]
        body["probabilities"] = {name: body["probabilities"][name] for name in kept}
        if not top_k:
            del body["probabilities"]
    return _json.encode(body)


if __name__ == "__main__":
    main()
