"""Move activation outliers into the weights before int8, without changing what is computed.

SmoothQuant (Xiao et al. 2023, arXiv:2211.10438, equations 3 and 4): a product X W is the same as
(X / s)(s W) for any positive s a channel. With

    s_j = max|X_j|^a / max|W_j|^(1 - a)

the channels of X get like ranges, so that one uint8 scale for all of them loses less. Where we
differ: the strength a is not one for the whole network, but for each X the one of several whose
int8 products come closest on tokens of the training texts. And a post-norm encoder needs its
normalised activations elsewhere, too, so the division cannot be folded into the layer norm; it is
an elementwise product before the quantized one, which costs about one part in a hundred.

Where tokens of very different size share an X (behind the activation function), each is divided by
its own largest value as well, and the products are multiplied by it again. The uint8 scale stays
static, and a token's size depends on its own text alone, so answers do not depend on neighbours.

Shapes: S tokens of a pack, T sampled tokens, C channels, K outputs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper

STRENGTHS = (0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9)  # of a, tried for every X
SAMPLED = 32  # tokens of each pack that the products are tried on
SMALLEST = 1e-5  # ranges below are taken as this, so that a dead channel divides by no zero
WORTH_IT = 0.5  # share of the error that may be left where tokens are scaled one by one

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
    before: dict[str, list[onnx.NodeProto]] = {}
    after: dict[str, list[onnx.NodeProto]] = {}
    ranges = {}
    for name, nodes in users.items():
        weights = [numpy_helper.to_array(stored[node.input[1]]) for node in nodes]  # (C, K) each
        scaling = best_scaling(found[name], weights)
        for node, weight in zip(nodes, weights, strict=True):
            tensor = stored[node.input[1]]
            scaled = weight * scaling.scales[:, None]
            tensor.CopyFrom(numpy_helper.from_array(scaled, tensor.name))
            node.input[0] = f"{name}_smooth"
        factor = numpy_helper.from_array(1 / scaling.scales, f"{name}_factor")
        model.graph.initializer.append(factor)
        ranges[f"{name}_smooth"] = (np.float32(scaling.low), np.float32(scaling.high))
        if scaling.by_token:
            before[nodes[0].name] = _divided_by_token(model, name)
            after |= {node.name: [_multiplied_by_token(node, name)] for node in nodes}
        else:
            before[nodes[0].name] = [_node("Mul", [name, factor.name], f"{name}_smooth")]
    _insert(model, before, after)
    floats = onnx.TensorProto.FLOAT
    model.graph.value_info.extend(
        onnx.helper.make_tensor_value_info(name, floats, None) for name in ranges
    )
    return ranges


def weight_products(model: onnx.ModelProto) -> list[onnx.NodeProto]:
    """The MatMul nodes whose right side is a stored weight matrix."""
    stored = {tensor.name for tensor in model.graph.initializer if len(tensor.dims) == 2}
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


@dataclass(frozen=True)
class Scaling:
    """How an X is divided before it is rounded.

    Args:
        scales: s (C,).
        by_token: Whether each token is divided by its largest value, too.
        low: Smallest value that uint8 holds.
        high: Largest.
    """

    scales: np.ndarray
    by_token: bool
    low: float
    high: float


def best_scaling(activation: Activation, weights: Sequence[np.ndarray]) -> Scaling:
    """The scaling whose int8 products come closest to the float32 ones.

    Tokens are scaled one by one only where that leaves half of the error or less: it costs a
    little time.

    Args:
        activation: X.
        weights: Every W that X is multiplied by (C, K).
    """
    largest = np.max([np.abs(weight).max(axis=1) for weight in weights], axis=0)
    range_ = np.maximum(np.abs(activation.low), np.abs(activation.high))
    exact = [activation.sample @ weight for weight in weights]
    tried: dict[bool, list[tuple[float, Scaling]]] = {False: [], True: []}
    for strength in STRENGTHS:
        scales = np.maximum(range_, SMALLEST) ** strength
        scales = (scales / np.maximum(largest, SMALLEST) ** (1 - strength)).astype(np.float32)
        rounded = [_round_weight(weight * scales[:, None]) for weight in weights]
        for scaling in (_together(activation, scales), _by_token(activation, scales)):
            sample = _round_activation(activation.sample, scaling)
            error = sum(
                float(np.square(sample @ weight - product).sum())
                for weight, product in zip(rounded, exact, strict=True)
            )
            tried[scaling.by_token].append((error, scaling))
    together, by_token = (min(each, key=lambda pair: pair[0]) for each in tried.values())
    return by_token[1] if by_token[0] <= WORTH_IT * together[0] else together[1]


def _together(activation: Activation, scales: np.ndarray) -> Scaling:
    """One range for all tokens."""
    low, high = (activation.low / scales).min(), (activation.high / scales).max()
    return Scaling(scales, False, min(float(low), 0.0), max(float(high), 0.0))


def _by_token(activation: Activation, scales: np.ndarray) -> Scaling:
    """One range for tokens whose largest value is 1."""
    values = activation.sample / scales
    low = (values / _size(values)).min()
    return Scaling(scales, True, min(float(low), 0.0), 1.0)


def _size(values: np.ndarray) -> np.ndarray:
    """The largest magnitude of each token (T, 1)."""
    return np.asarray(np.abs(values).max(axis=1, keepdims=True) + SMALLEST)


def _round_activation(sample: np.ndarray, scaling: Scaling) -> np.ndarray:
    """The sample divided by s, as uint8 holds it (T, C)."""
    values = sample / scaling.scales
    size = _size(values) if scaling.by_token else 1.0
    step = max((scaling.high - scaling.low) / 255, SMALLEST)
    zero = np.round(-scaling.low / step)
    held = np.clip(np.round(values / size / step) + zero, 0, 255) - zero
    return np.asarray(held * step * size, np.float32)


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


def _node(kind: str, inputs: list[str], output: str, **attributes: Any) -> onnx.NodeProto:
    """A node that goes by its output's name."""
    return onnx.helper.make_node(kind, inputs, [output], name=output, **attributes)


def _divided_by_token(model: onnx.ModelProto, name: str) -> list[onnx.NodeProto]:
    """The nodes from X to X / s divided by each token's size, which is kept."""
    least = numpy_helper.from_array(np.array(SMALLEST, np.float32), f"{name}_least")
    model.graph.initializer.append(least)
    return [
        _node("Mul", [name, f"{name}_factor"], f"{name}_scaled"),
        _node("Abs", [f"{name}_scaled"], f"{name}_magnitude"),
        _node("ReduceMax", [f"{name}_magnitude"], f"{name}_largest", axes=[-1], keepdims=1),
        _node("Add", [f"{name}_largest", least.name], f"{name}_size"),
        _node("Div", [f"{name}_scaled", f"{name}_size"], f"{name}_smooth"),
    ]


def _multiplied_by_token(product: onnx.NodeProto, name: str) -> onnx.NodeProto:
    """The node that gives a product, which is renamed, its tokens' sizes back."""
    output = product.output[0]
    product.output[0] = f"{output}_of_size_1"
    return _node("Mul", [product.output[0], f"{name}_size"], output)


def _insert(
    model: onnx.ModelProto,
    before: Mapping[str, list[onnx.NodeProto]],
    after: Mapping[str, list[onnx.NodeProto]],
) -> None:
    """Put new nodes around those they are keyed by; a graph's nodes stand in order of use."""
    nodes = []
    for node in model.graph.node:
        nodes += [*before.get(node.name, ()), node, *after.get(node.name, ())]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
