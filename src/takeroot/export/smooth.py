"""Move activation outliers into the weights before int8, without changing what is computed.

SmoothQuant (Xiao et al. 2023, arXiv:2211.10438, equations 3 and 4): a product X W is the same as
(X / s)(s W) for any positive s a channel. With

    s_j = max|X_j|^a / max|W_j|^(1 - a)

the channels of X get like ranges, so that one uint8 scale for all of them loses less. Where we
differ: the strength a is not one for the whole network, but for each X the one of several whose
int8 products come closest on tokens of the training texts. And a post-norm encoder needs its
normalised activations elsewhere, too, so the division cannot be folded into the layer norm; it is
an elementwise product before the quantized one, which costs about one part in a hundred.

Shapes: S tokens of a pack, T sampled tokens, C channels, K outputs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper

STRENGTHS = (0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9)  # of a, tried for every X
SAMPLED = 32  # tokens of each pack that the products are tried on
SMALLEST = 1e-5  # ranges below are taken as this, so that a dead channel divides by no zero

Range = tuple[np.float32, np.float32]


def smooth(model: onnx.ModelProto, packs: Iterable[Mapping[str, np.ndarray]]) -> dict[str, Range]:
    """Insert the products before the weight MatMuls and scale the weights, in place.

    Args:
        model: A float32 graph.
        packs: Inputs made of training texts; their activations' ranges decide the scales.

    Returns:
        Smallest and largest value on the packs of each X / s, by its name in the graph.
    """
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    users: dict[str, list[onnx.NodeProto]] = defaultdict(list)
    for node in weight_products(model):
        users[node.input[0]].append(node)
    found = activations(model, list(users), packs)
    added = {}
    ranges = {}
    for name, nodes in users.items():
        weights = [numpy_helper.to_array(stored[node.input[1]]) for node in nodes]  # (C, K) each
        scales = best_scales(found[name], weights)
        for node, weight in zip(nodes, weights, strict=True):
            tensor = stored[node.input[1]]
            tensor.CopyFrom(numpy_helper.from_array(weight * scales[:, None], tensor.name))
            node.input[0] = f"{name}_smooth"
        ranges[f"{name}_smooth"] = _range(found[name], scales)
        factor = numpy_helper.from_array(1 / scales, f"{name}_factor")
        model.graph.initializer.append(factor)
        added[nodes[0].name] = onnx.helper.make_node(
            "Mul", [name, factor.name], [f"{name}_smooth"], name=f"{name}_smooth"
        )
    _insert(model, added)
    floats = onnx.TensorProto.FLOAT
    model.graph.value_info.extend(
        onnx.helper.make_tensor_value_info(name, floats, None) for name in ranges
    )
    return ranges


def weight_products(model: onnx.ModelProto) -> list[onnx.NodeProto]:
    """The MatMul nodes whose right side is a stored weight."""
    stored = {tensor.name for tensor in model.graph.initializer}
    nodes = model.graph.node
    return [node for node in nodes if node.op_type == "MatMul" and node.input[1] in stored]


@dataclass(frozen=True)
class Activation:
    """What is known of an X.

    Args:
        low: Smallest value of each channel (C,).
        high: Largest value of each channel (C,).
        sample: Some tokens' values (T, C).
    """

    low: np.ndarray
    high: np.ndarray
    sample: np.ndarray


def best_scales(activation: Activation, weights: Sequence[np.ndarray]) -> np.ndarray:
    """The scales s (C,) whose int8 products come closest to the float32 ones.

    Args:
        activation: X.
        weights: Every W that X is multiplied by (C, K).
    """
    largest = np.max([np.abs(weight).max(axis=1) for weight in weights], axis=0)
    range_ = np.maximum(np.abs(activation.low), np.abs(activation.high))
    exact = [activation.sample @ weight for weight in weights]
    best: np.ndarray = np.ones_like(largest)
    least = np.inf
    for strength in STRENGTHS:
        scales = np.maximum(range_, SMALLEST) ** strength
        scales = (scales / np.maximum(largest, SMALLEST) ** (1 - strength)).astype(np.float32)
        rounded = _round_activation(activation, scales)
        error = sum(
            float(np.square(rounded @ _round_weight(weight * scales[:, None]) - product).sum())
            for weight, product in zip(weights, exact, strict=True)
        )
        if error < least:
            best, least = scales, error
    return best


def _round_activation(activation: Activation, scales: np.ndarray) -> np.ndarray:
    """The sample divided by s, as uint8 with one scale for all holds it (T, C)."""
    low, high = _range(activation, scales)
    step = max((max(float(high), 0.0) - min(float(low), 0.0)) / 255, SMALLEST)
    return np.asarray(np.round(activation.sample / scales / step) * step, np.float32)


def _range(activation: Activation, scales: np.ndarray) -> Range:
    """Smallest and largest value of X / s."""
    return (activation.low / scales).min(), (activation.high / scales).max()


def _round_weight(weight: np.ndarray) -> np.ndarray:
    """A weight as int8 with one scale an output holds it (C, K)."""
    step = np.maximum(np.abs(weight).max(axis=0) / 127, np.finfo(np.float32).tiny)
    return np.asarray(np.round(weight / step) * step)


def activations(
    model: onnx.ModelProto, names: list[str], packs: Iterable[Mapping[str, np.ndarray]]
) -> dict[str, Activation]:
    """Range and sample of each named activation."""
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    wanted = {output.name for output in probe.graph.output}
    probe.graph.output.extend(
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)
        for name in names
        if name not in wanted
    )
    session = onnxruntime.InferenceSession(
        probe.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    seen: dict[str, list[tuple[np.ndarray, np.ndarray, np.ndarray]]] = defaultdict(list)
    for pack in packs:
        for name, value in zip(names, session.run(names, dict(pack)), strict=True):
            tokens = value.reshape(-1, value.shape[-1])
            some = tokens[:: max(1, len(tokens) // SAMPLED)].copy()
            seen[name].append((tokens.min(axis=0), tokens.max(axis=0), some))
    return {
        name: Activation(
            np.min([low for low, _, _ in each], axis=0),
            np.max([high for _, high, _ in each], axis=0),
            np.concatenate([sample for _, _, sample in each]),
        )
        for name, each in seen.items()
    }


def _insert(model: onnx.ModelProto, added: dict[str, onnx.NodeProto]) -> None:
    """Put each new node before the node it is keyed by; a graph's nodes stand in order of use."""
    nodes = []
    for node in model.graph.node:
        if node.name in added:
            nodes.append(added[node.name])
        nodes.append(node)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
