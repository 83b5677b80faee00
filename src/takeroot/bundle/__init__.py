"""Bundles: the folder a model lives in, and the one way to run it. Nothing here needs torch.

A bundle (format 1) is a folder of: manifest.json (every file's size and sha256), bundle.json
(``Spec``), and for the runtime ``onnx`` model.onnx and tokenizer.json, for ``linear``
features.json and linear.safetensors; reference.safetensors where abstention compares with training
data; weights/ to train further; evidence/, report.html and card.md for people.

The graph model.onnx takes one *pack*: ``input_ids``, ``position_ids``, ``segments`` and, where the
spec says so, ``token_type_ids``, all int64 (1, S), and ``pool`` float32 (N, S), whose row n
averages the tokens of text n (absent for tag). It gives ``logits`` float32 (N, K) and
``embedding`` float32 (N, H) of unit length; for tag ``logits`` (S, K') over the tags.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from takeroot.bundle.answer import Answer, Entity
    from takeroot.bundle.open import Bundle, open_bundle
    from takeroot.bundle.outputs import Outputs
    from takeroot.bundle.predictor import Predictor, load_predictor
    from takeroot.bundle.spec import Input, Spec
    from takeroot.bundle.write import BundleWriter

_MODULES = {
    "Answer": "answer",
    "Bundle": "open",
    "BundleWriter": "write",
    "Entity": "answer",
    "Input": "spec",
    "Outputs": "outputs",
    "Predictor": "predictor",
    "Spec": "spec",
    "load_predictor": "predictor",
    "open_bundle": "open",
}

__all__ = [
    "Answer",
    "Bundle",
    "BundleWriter",
    "Entity",
    "Input",
    "Outputs",
    "Predictor",
    "Spec",
    "load_predictor",
    "open_bundle",
]


def __getattr__(name: str) -> Any:
    """Import where a name is used: what only looks at a spec need not load numpy."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
