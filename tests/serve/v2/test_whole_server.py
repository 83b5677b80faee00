"""The command's own server, with its workers, driven by tritonclient."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import tritonclient.grpc
import tritonclient.http

from takeroot.serve.server import MOST_STREAMS
from takeroot.serve.v2.messages import INFERENCE, message
from takeroot.serve.v2.tensors import join

PATIENCE_S = 60


def test_both_protocols_give_the_same_answers(
    serve: Callable[..., Any], shop: Path, shop_rows: list[dict[str, str]]
) -> None:
    running = serve(shop, "--grpc-port", "0")
    texts = np.array([row["text"].encode() for row in shop_rows], object)
    found = {}

    for library, address in (
        (tritonclient.http, running.address),
        (tritonclient.grpc, running.grpc),
    ):
        with library.InferenceServerClient(address) as client:
            assert client.is_server_ready()
            tensor = library.InferInput("text", texts.shape, "BYTES")
            tensor.set_data_from_numpy(texts)
            found[library] = client.infer("shop", [tensor])

    rest, grpc = found.values()
    assert [each.decode() for each in rest.as_numpy("label")] == [
        row["intent"] for row in shop_rows
    ]
    for name in ("label", "confidence", "probabilities", "abstained", "reason"):
        np.testing.assert_array_equal(rest.as_numpy(name), grpc.as_numpy(name))


def test_what_was_answered_is_counted_and_models_come_and_go(
    serve: Callable[..., Any], shop: Path
) -> None:
    running = serve(shop, "--grpc-port", "0")

    with tritonclient.grpc.InferenceServerClient(running.grpc) as client:
        tensor = tritonclient.grpc.InferInput("text", [2], "BYTES")
        tensor.set_data_from_numpy(np.array([b"refund me", b"where is it"], object))
        client.infer("shop", [tensor])
        (counted,) = client.get_inference_statistics("shop").model_stats
        client.unload_model("shop")
        gone = client.is_model_ready("shop")
        client.load_model("shop")

        assert (counted.inference_count, counted.inference_stats.success.count) == (2, 1)
        assert (gone, client.is_model_ready("shop")) == (False, True)


def test_of_many_calls_over_one_connection_some_wait_at_the_client_and_all_are_answered(
    serve: Callable[..., Any], shop: Path
) -> None:
    limits = ("--queue-texts", "5000", "--wait", "1000", "--timeout", "300")
    running = serve(shop, "--grpc-port", "0", "--workers", "1", *limits)
    asked = message("inference.ModelInferRequest")(
        model_name="shop", raw_input_contents=[join([b"where is it"])]
    )
    asked.inputs.add(name="text", datatype="BYTES", shape=[1])
    os.kill(running.workers()[0], signal.SIGSTOP)

    with grpc.insecure_channel(running.grpc) as channel:
        infer = channel.unary_unary(f"/{INFERENCE}/ModelInfer")
        calls = [infer.future(asked.SerializeToString()) for _ in range(3 * MOST_STREAMS)]
        end = time.monotonic() + PATIENCE_S
        while running.waiting() < MOST_STREAMS // 2:  # the worker has taken some
            assert time.monotonic() < end
            time.sleep(0.05)
        time.sleep(1)  # in which no more come
        most = running.waiting()
        os.kill(running.workers()[0], signal.SIGCONT)
        codes = {each.code() for each in calls}

    assert most <= MOST_STREAMS
    assert codes == {grpc.StatusCode.OK}
