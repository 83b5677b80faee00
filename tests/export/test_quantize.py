from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from takeroot.bundle.onnx_file import check_self_contained
from takeroot.export.graph import export_graph
from takeroot.export.quantize import quantize, quantize_tables
from takeroot.tasks import Encoded

Build = Callable[..., Any]


def open_graph(graph: bytes) -> Callable[[dict[str, np.ndarray]], np.ndarray]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    return lambda inputs: session.run(["logits"], inputs)[0]


def softmax(logits: np.ndarray) -> np.ndarray:
    exponents = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return exponents / exponents.sum(axis=-1, keepdims=True)


@pytest.fixture
def small(task_model: Build, rows: list[Encoded], feeds: Build) -> bytes:
    """The int8 graph of a classifier."""
    packs = [feeds(rows[k : k + 5], pooled=True) for k in range(0, 20, 5)]
    return quantize(export_graph(task_model("classify")), packs)


def test_int8_answers_do_not_depend_on_the_neighbours(
    small: bytes, rows: list[Encoded], feeds: Build
):
    run = open_graph(small)
    alone = np.concatenate([softmax(run(feeds([row], pooled=True))) for row in rows])

    for seed in range(5):
        order = np.random.default_rng(seed).permutation(len(rows))
        packed = softmax(run(feeds([rows[k] for k in order], pooled=True)))

        np.testing.assert_allclose(packed, alone[order], atol=1e-4)


def test_int8_answers_are_close_to_float32_ones(
    small: bytes, task_model: Build, rows: list[Encoded], feeds: Build
):
    inputs = feeds(rows, pooled=True)

    full = open_graph(export_graph(task_model("classify")))(inputs)

    # 8 bits a product, two layers of random weights
    np.testing.assert_allclose(open_graph(small)(inputs), full, atol=0.1)


def test_int8_weights_are_stored_as_int8(small: bytes, task_model: Build):
    check_self_contained(small)

    model = onnx.load_from_string(small)

    floats = [t for t in model.graph.initializer if t.data_type == TensorProto.FLOAT]
    # What stays are small tables, scales, biases and norms: no 32 x 32 weight, no vocabulary.
    assert max(int(np.prod(tensor.dims)) for tensor in floats) < 66 * 32 + 1
    assert len(small) < len(export_graph(task_model("classify")))


def table_model(*nodes: onnx.NodeProto, rows: int = 300) -> tuple[onnx.ModelProto, np.ndarray]:
    table = np.random.default_rng(0).normal(size=(rows, 32)).astype(np.float32)
    table[3] = 0
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        list(nodes),
        "tables",
        [value("ids", TensorProto.INT64, ["n"])],
        [value(node.output[0], TensorProto.FLOAT, None) for node in nodes],
        [numpy_helper.from_array(table, "table")],
    )
    opset = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=opset, ir_version=8), table


def lookup(out: str = "found", axis: int = 0) -> onnx.NodeProto:
    return helper.make_node("Gather", ["table", "ids"], [out], axis=axis)


def results(model: onnx.ModelProto, ids: np.ndarray) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return session.run(None, {"ids": ids})


def test_a_tables_rows_stay_within_half_a_step():
    model, table = table_model(lookup())

    quantize_tables(model)

    [found] = results(model, np.arange(300))
    half = np.abs(table).max(axis=1, keepdims=True) / 127 / 2
    assert (np.abs(found - table) <= half * (1 + 1e-5)).all()
    assert not found[3].any()


def test_a_table_is_looked_up_in_int8():
    model, _ = table_model(lookup())

    quantize_tables(model)

    stored = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    assert stored == {"table_int8": TensorProto.INT8, "table_scale": TensorProto.FLOAT}
    assert [node.op_type for node in model.graph.node] == ["Gather", "Cast", "Gather", "Mul"]


def test_a_table_looked_up_twice_is_stored_once():
    model, table = table_model(lookup("first"), lookup("second"))

    quantize_tables(model)

    first, second = results(model, np.array([5, 7]))
    np.testing.assert_array_equal(first, second)
    np.testing.assert_allclose(first, table[[5, 7]], atol=0.02)
    assert len(model.graph.initializer) == 2


@pytest.mark.parametrize(
    "nodes",
    [
        (lookup(axis=1),),
        (lookup(), helper.make_node("Abs", ["table"], ["size"])),
    ],
    ids=["by column", "also read whole"],
)
def test_a_table_that_is_not_only_looked_up_by_row_stays(nodes: tuple[onnx.NodeProto, ...]):
    model, _ = table_model(*nodes)

    quantize_tables(model)

    assert [tensor.name for tensor in model.graph.initializer] == ["table"]


def test_a_small_table_stays():
    model, _ = table_model(lookup(), rows=100)

    quantize_tables(model)

    assert [tensor.name for tensor in model.graph.initializer] == ["table"]
