"""Turn a float32 graph into int8 whose answers do not depend on a text's neighbours.

Weight products: per-channel int8 weights, activations in uint8 with *static* scales found on
training texts (min-max calibration; Jacob et al. 2018, arXiv:1712.05877, section 3). Dynamic
scales would span the whole pack, so that a text's answer would change with its neighbours.

Before that, outliers among the activations are moved into the weights (``smooth``), which brings
the int8 vectors five times closer to the float32 ones (docs/benchmarks.md).

Embedding tables: symmetric int8 with one scale a row, looked up and scaled back in the graph; one
scale for the whole table moves rare tokens too far.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper
from onnxruntime.quantization import CalibrationMethod, QuantType
from onnxruntime.quantization.calibrate import TensorsData
from onnxruntime.quantization.qdq_quantizer import QDQQuantizer
from onnxruntime.quantization.shape_inference import quant_pre_process

from takeroot.export.smooth import Range, smooth, weight_products

SMALLEST_TABLE = 64 * 64  # values; smaller tables are not worth two more nodes

Pack = Mapping[str, np.ndarray]


def quantize(graph: bytes, packs: Sequence[Pack]) -> bytes:
    """The int8 form of a float32 graph.

    Args:
        graph: A serialized ONNX model from ``export_graph``.
        packs: Inputs made of training texts; their activations' ranges become the scales.
    """
    with tempfile.TemporaryDirectory(prefix="takeroot-") as folder:
        source, ready = (Path(folder) / name for name in ("a.onnx", "b.onnx"))
        source.write_bytes(graph)
        quant_pre_process(str(source), str(ready), skip_symbolic_shape=True)
        prepared = onnx.load(ready)
    model = _quantize_products(prepared, smooth(prepared, packs))
    quantize_tables(model)
    for tensor in model.graph.initializer:  # onnx marks those it loaded, and bundles refuse marks
        tensor.ClearField("data_location")
    return bytes(model.SerializeToString())


def _quantize_products(model: onnx.ModelProto, ranges: Mapping[str, Range]) -> onnx.ModelProto:
    """The graph with its weight products in int8.

    onnxruntime's ``quantize_static`` would run the texts a second time to find the ranges, which
    takes as long as everything else here.

    Args:
        model: A smoothed float32 graph.
        ranges: Smallest and largest value of what its weights are multiplied with, by name.
    """
    quantizer = QDQQuantizer(
        model,
        per_channel=True,
        reduce_range=False,
        weight_qType=QuantType.QInt8,
        activation_qType=QuantType.QUInt8,
        tensors_range=TensorsData(CalibrationMethod.MinMax, dict(ranges)),
        nodes_to_quantize=[node.name for node in weight_products(model)],
        nodes_to_exclude=[],
        op_types_to_quantize=["MatMul"],
        extra_options={"OpTypesToExcludeOutputQuantization": ["MatMul"]},
    )
    quantizer.quantize_model()
    done: onnx.ModelProto = quantizer.model.model
    return done


def quantize_tables(model: onnx.ModelProto) -> None:
    """Replace each float32 embedding table by int8 rows and a scale a row, in place."""
    graph = model.graph
    large = {tensor.name: tensor for tensor in graph.initializer if _is_table(tensor)}
    lookups = {node.output[0]: node.input[0] for node in graph.node if _looks_up_rows(node)}
    elsewhere = {n for node in graph.node if node.output[0] not in lookups for n in node.input}
    tables = sorted(set(lookups.values()) & set(large) - elsewhere)
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        name = lookups.get(node.output[0])
        nodes += _lookup(node, name) if name is not None and name in tables else [node]
    for name in tables:
        rows, scales = _quantize_rows(numpy_helper.to_array(large[name]))
        graph.initializer.remove(large[name])
        graph.initializer.append(numpy_helper.from_array(rows, f"{name}_int8"))
        graph.initializer.append(numpy_helper.from_array(scales, f"{name}_scale"))
    del graph.node[:]
    graph.node.extend(nodes)


def _is_table(tensor: onnx.TensorProto) -> bool:
    """Whether an initializer is a float32 matrix large enough to be worth storing as int8."""
    large = len(tensor.dims) == 2 and int(np.prod(tensor.dims)) >= SMALLEST_TABLE
    return large and tensor.data_type == onnx.TensorProto.FLOAT


def _looks_up_rows(node: onnx.NodeProto) -> bool:
    """Whether a node gathers rows of its first input."""
    axes = [attribute.i for attribute in node.attribute if attribute.name == "axis"]
    return bool(node.op_type == "Gather" and not any(axes))


def _quantize_rows(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows in int8 and their scales (V, 1); a row of zeros has scale 1."""
    largest = np.abs(table).max(axis=1, keepdims=True)
    scales = np.where(largest > 0, largest / 127, 1.0).astype(np.float32)
    return np.round(table / scales).astype(np.int8), scales


def _lookup(node: onnx.NodeProto, name: str) -> list[onnx.NodeProto]:
    """Look up int8 rows and their scales, and multiply."""
    ids, out = node.input[1], node.output[0]
    make = onnx.helper.make_node
    return [
        make("Gather", [f"{name}_int8", ids], [f"{out}_int8"], axis=0),
        make("Cast", [f"{out}_int8"], [f"{out}_float"], to=onnx.TensorProto.FLOAT),
        make("Gather", [f"{name}_scale", ids], [f"{out}_scale"], axis=0),
        make("Mul", [f"{out}_float", f"{out}_scale"], [out]),
    ]
