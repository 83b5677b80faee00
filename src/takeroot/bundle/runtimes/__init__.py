"""What runs a bundle's weights. Adding a runtime: one file, one line here."""

from __future__ import annotations

from takeroot.bundle.runtimes.linear import LinearRuntime
from takeroot.bundle.runtimes.onnx import OnnxRuntime
from takeroot.bundle.runtimes.runtime import Read, Runtime, RuntimeFactory

RUNTIMES: dict[str, RuntimeFactory] = {"onnx": OnnxRuntime, "linear": LinearRuntime}

__all__ = ["RUNTIMES", "LinearRuntime", "OnnxRuntime", "Read", "Runtime", "RuntimeFactory"]
