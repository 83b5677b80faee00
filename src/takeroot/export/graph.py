"""Write a trained network as one ONNX graph that takes packed texts.

Several texts stand end to end in one row: attention is masked to equal segments, positions restart
at each text, and a pooling matrix averages each text's tokens, all inside the graph, so that no
padding is computed and no Python is left between tokens and logits.

Shapes: S tokens in the pack, N texts, H hidden size, K outputs.
"""

from __future__ import annotations

import io
import warnings

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from takeroot.models.text_model import TextModel

OPSET = 17


class _Pooled(nn.Module):
    """Packed texts to logits (N, K) and unit-length vectors (N, H)."""

    def __init__(self, model: TextModel) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, ids: Tensor, positions: Tensor, segments: Tensor, pool: Tensor, *types: Tensor
    ) -> tuple[Tensor, Tensor]:
        tokens = self.model.packed(ids, positions, types[0] if types else None, segments)  # (S, H)
        vectors = F.normalize(pool @ tokens, dim=-1)  # (N, H)
        return self.model.head(vectors), vectors


class _Tokens(nn.Module):
    """Packed texts to logits of every token (S, K)."""

    def __init__(self, model: TextModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, ids: Tensor, positions: Tensor, segments: Tensor, *types: Tensor) -> Tensor:
        tokens = self.model.packed(ids, positions, types[0] if types else None, segments)
        return torch.as_tensor(self.model.head(tokens))


def export_graph(model: TextModel) -> bytes:
    """The network as a serialized float32 ONNX model with dynamic S and N."""
    was_training = model.training
    # Three texts of 3, 2 and 4 tokens: enough for the tracer to see every operation.
    segments = torch.tensor([[0, 0, 0, 1, 1, 2, 2, 2, 2]])
    positions = torch.tensor([[0, 1, 2, 0, 1, 0, 1, 2, 3]])
    pool = F.one_hot(segments[0], 3).T.float()
    pool = pool / pool.sum(dim=1, keepdim=True)
    ids = torch.ones_like(segments)
    inputs = {"input_ids": ids, "position_ids": positions, "segments": segments}
    axes: dict[str, dict[int, str]] = {name: {1: "s"} for name in inputs}
    if model.pooled:
        inputs["pool"] = pool
        axes |= {"pool": {0: "n", 1: "s"}, "logits": {0: "n"}, "embedding": {0: "n"}}
    else:
        axes["logits"] = {0: "s"}
    if model.token_types:
        inputs["token_type_ids"] = torch.zeros_like(segments)
        axes["token_type_ids"] = {1: "s"}
    wrapper = _Pooled(model) if model.pooled else _Tokens(model)
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # The tracing exporter is deprecated, but its graphs are the ones measured and quantized
        # here; it also warns of shape checks inside transformers that are constant for us.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            wrapper.eval(),
            tuple(inputs.values()),
            buffer,  # type: ignore[arg-type]  # this exporter writes to buffers, too
            input_names=list(inputs),
            output_names=["logits", "embedding"] if model.pooled else ["logits"],
            dynamic_axes=axes,
            opset_version=OPSET,
            dynamo=False,
        )
    model.train(was_training)
    return buffer.getvalue()
