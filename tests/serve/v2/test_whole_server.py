"""The command's own server, with its workers, driven by tritonclient."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tritonclient.grpc
import tritonclient.http


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
