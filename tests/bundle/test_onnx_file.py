from __future__ import annotations

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from takeroot.bundle.onnx_file import check_self_contained
from takeroot.errors import BundleError


def _external() -> TensorProto:
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[2])
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")
    return tensor


def _model(**parts) -> onnx.ModelProto:
    graph = helper.make_graph(
        parts.get("nodes", []), "g", [], [], initializer=parts.get("tensors", [])
    )
    return helper.make_model(graph, functions=parts.get("functions", []))


def _node(name="value", **attributes):
    return helper.make_node("Constant", [], ["x"], **(attributes or {name: _external()}))


def _sparse():
    model = _model()
    sparse = model.graph.sparse_initializer.add()
    sparse.indices.CopyFrom(_external())
    return model


def _training():
    model = _model()
    model.training_info.add().algorithm.initializer.append(_external())
    return model


INNER = helper.make_graph([], "inner", [], [], initializer=[_external()])
HIDDEN_PLACES = {
    "initializer": _model(tensors=[_external()]),
    "attribute": _model(nodes=[_node()]),
    "attribute list": _model(nodes=[_node(values=[_external()])]),
    "subgraph": _model(nodes=[helper.make_node("If", ["c"], ["x"], then_branch=INNER)]),
    "subgraph list": _model(nodes=[_node(branches=[INNER])]),
    "function": _model(
        functions=[helper.make_function("d", "f", [], ["x"], [_node()], [])],
    ),
    "sparse": _sparse(),
    "training": _training(),
}


@pytest.mark.parametrize("place", HIDDEN_PLACES)
def test_data_outside_the_file_is_found_wherever_it_hides(place):
    with pytest.raises(BundleError, match=r"m\.onnx: a tensor has data outside the file"):
        check_self_contained(HIDDEN_PLACES[place].SerializeToString(), "m.onnx")


@pytest.mark.parametrize("field", ["external_data", "data_location"])
def test_each_sign_of_outside_data_is_enough(field):
    tensor = _external()
    tensor.ClearField(field)

    with pytest.raises(BundleError, match="outside the file"):
        check_self_contained(_model(tensors=[tensor]).SerializeToString())


def test_a_whole_model_passes(build_graph):
    check_self_contained(build_graph(3))


def test_raw_bytes_are_not_taken_for_messages():
    raw = _model(tensors=[_external()]).SerializeToString()
    tensor = numpy_helper.from_array(np.frombuffer(raw, np.uint8), "w")

    check_self_contained(_model(tensors=[tensor]).SerializeToString())


@pytest.mark.parametrize("data", [b"\x3a", b"\x3a\x05ab", b"\xff" * 20, b"\x0f", b"\x38\x01"])
def test_what_is_no_model_is_refused(data):
    with pytest.raises(BundleError, match="not an ONNX model"):
        check_self_contained(data)


def test_endless_nesting_is_refused():
    data = b""
    for _ in range(40):  # graph > node > attribute > graph > …
        for key in (b"\x32", b"\x2a", b"\x0a"):
            data = key + _length(data) + data
    with pytest.raises(BundleError, match="nested deeper than 32"):
        check_self_contained(b"\x3a" + _length(data) + data)


def _length(data: bytes) -> bytes:
    size, found = len(data), b""
    while size > 127:
        found += bytes([size & 127 | 128])
        size >>= 7
    return found + bytes([size])


@settings(max_examples=200)
@given(st.binary(max_size=200))
def test_any_bytes_end_in_a_verdict(data):
    try:
        check_self_contained(data)
    except BundleError as error:
        assert "model.onnx" in str(error)
