"""Triton by pytriton: python pytriton_app.py HTTP_PORT GRPC_PORT, its dynamic batcher."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from classifier import Classifier
from pytriton.decorators import batch
from pytriton.model_config import DynamicBatcher, ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig


def inference() -> Callable[..., Any]:
    """One of two callables, each with a model of its own."""
    model = Classifier()

    @batch
    def infer(text: np.ndarray) -> dict[str, np.ndarray]:
        found = model.predict([each.decode() for each in text[:, 0]])
        return {"label": np.array([[each["label"].encode()] for each in found], dtype=np.bytes_)}

    return infer


if __name__ == "__main__":
    http_port, grpc_port = map(int, sys.argv[1:3])
    config = TritonConfig(
        http_port=http_port, grpc_port=grpc_port, allow_metrics=False, log_verbose=0
    )
    with Triton(config=config) as triton:
        triton.bind(
            model_name="classify",
            infer_func=[inference(), inference()],
            inputs=[Tensor(name="text", dtype=bytes, shape=(1,))],
            outputs=[Tensor(name="label", dtype=bytes, shape=(1,))],
            config=ModelConfig(
                max_batch_size=16, batcher=DynamicBatcher(max_queue_delay_microseconds=1000)
            ),
            strict=False,
        )
        triton.serve()
