"""What runs a bundle's weights. Adding a runtime: one file, one entry here."""

from __future__ import annotations

from takeroot.bundle.runtimes.runtime import Read, Runtime, RuntimeFactory
from takeroot.bundle.spec import Spec


def _onnx(spec: Spec, read: Read, *, threads: int) -> Runtime:
    from takeroot.bundle.runtimes.onnx import OnnxRuntime  # a process needs one of them

    return OnnxRuntime(spec, read, threads=threads)


def _linear(spec: Spec, read: Read, *, threads: int) -> Runtime:
    from takeroot.bundle.runtimes.linear import LinearRuntime

    return LinearRuntime(spec, read, threads=threads)


RUNTIMES: dict[str, RuntimeFactory] = {"onnx": _onnx, "linear": _linear}

__all__ = ["RUNTIMES", "Read", "Runtime", "RuntimeFactory"]
