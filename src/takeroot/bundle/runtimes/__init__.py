"""What runs a bundle's weights. Adding a runtime: one file, one entry here."""

from __future__ import annotations

from takeroot.bundle.runtimes.runtime import Heard, Read, Runtime, RuntimeFactory
from takeroot.bundle.spec import Spec


def _onnx(spec: Spec, read: Read, *, threads: int) -> Runtime:
    from takeroot.bundle.runtimes.onnx import OnnxRuntime  # a process needs one of them

    return OnnxRuntime(spec, read, threads=threads)


def _linear(spec: Spec, read: Read, *, threads: int) -> Runtime:
    from takeroot.bundle.runtimes.linear import LinearRuntime

    return LinearRuntime(spec, read, threads=threads)


def _ctranslate2(spec: Spec, read: Read, *, threads: int) -> Runtime:
    from takeroot.bundle.runtimes.ctranslate2 import Ctranslate2Runtime

    return Ctranslate2Runtime(spec, read, threads=threads)


RUNTIMES: dict[str, RuntimeFactory] = {
    "onnx": _onnx,
    "linear": _linear,
    "ctranslate2": _ctranslate2,
}

__all__ = ["RUNTIMES", "Heard", "Read", "Runtime", "RuntimeFactory"]
