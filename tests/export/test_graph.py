from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from takeroot.bundle.onnx_file import check_self_contained
from takeroot.export.graph import export_graph
from takeroot.models.config import ARCHITECTURES
from takeroot.tasks import Encoded
from takeroot.train.embed import predict

Build = Callable[..., Any]


def run(graph: bytes, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    names = {value.name for value in session.get_inputs()}
    return session.run(None, {name: inputs[name] for name in names})


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_the_graph_computes_what_the_network_does(
    kind: str, task_model: Build, rows: list[Encoded], feeds: Build
):
    model = task_model("classify", kind)
    offset = ARCHITECTURES[kind].position_offset

    logits, embedding = run(export_graph(model), feeds(rows, pooled=True, offset=offset))

    expected, vectors = predict(model, rows)
    np.testing.assert_allclose(logits, np.stack(expected), atol=1e-5)
    np.testing.assert_allclose(embedding, vectors, atol=1e-5)


def test_the_graph_of_a_tag_network_decides_every_token(
    task_model: Build, rows: list[Encoded], feeds: Build
):
    model = task_model("tag")

    [logits] = run(export_graph(model), feeds(rows, pooled=False))

    tokens = np.split(logits, np.cumsum([len(row.ids) for row in rows])[:-1])
    for found, row, expected in zip(tokens, rows, predict(model, rows)[0], strict=True):
        np.testing.assert_allclose(found[list(row.words)], expected, atol=1e-5)


def test_a_text_alone_is_answered_as_in_a_pack(
    task_model: Build, rows: list[Encoded], feeds: Build
):
    graph = export_graph(task_model("classify"))
    together = run(graph, feeds(rows, pooled=True))[0]

    alone = [run(graph, feeds([row], pooled=True))[0][0] for row in rows[:6]]

    np.testing.assert_allclose(alone, together[:6], atol=1e-6)


def test_no_weight_of_another_text_is_a_number_that_computes_slowly(
    task_model: Build, rows: list[Encoded], feeds: Build
):
    model = onnx.load_from_string(export_graph(task_model("classify")))
    weights = [node.output[0] for node in model.graph.node if node.op_type == "Exp"]
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in weights)

    _, _, *found = run(model.SerializeToString(), feeds(rows, pooled=True))

    assert len(found) == 2  # layers
    for each in found:
        assert np.finfo(np.float32).smallest_normal <= each.min() < 1e-30  # of another text
        assert each.max() == 1


@pytest.mark.parametrize("name", ["classify", "multilabel", "pair", "tag"])
def test_the_graph_is_whole_and_its_inputs_are_as_agreed(name: str, task_model: Build):
    graph = export_graph(task_model(name))

    model = onnx.load_from_string(graph)
    onnx.checker.check_model(model)
    check_self_contained(graph)
    needed = {"input_ids", "position_ids", "token_type_ids", "segments"}
    inputs = {value.name for value in model.graph.input}
    outputs = [value.name for value in model.graph.output]
    if name == "tag":
        assert (inputs, outputs) == (needed, ["logits"])
    else:
        assert (inputs, outputs) == (needed | {"pool"}, ["logits", "embedding"])


def test_a_network_without_token_types_takes_none(task_model: Build):
    model = onnx.load_from_string(export_graph(task_model("classify", "roberta")))

    assert "token_type_ids" not in {value.name for value in model.graph.input}


def test_export_leaves_the_network_as_it_was(task_model: Build):
    model = task_model("classify").train()

    export_graph(model)

    assert model.training
    assert model.encoder.config._attn_implementation == "eager"
