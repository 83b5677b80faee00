"""What the server tells about itself and its models, as values for JSON and for messages alike."""

from __future__ import annotations

from functools import cache
from typing import Any

from takeroot import __version__
from takeroot.serve.faults import ServeError
from takeroot.serve.models import ModelInfo
from takeroot.serve.service import Service
from takeroot.serve.statistics import ModelStatistics
from takeroot.serve.v2.signature import OUTPUTS, Signature, signature_of

PLATFORM = {
    "onnx": "onnxruntime_onnx",
    "linear": "takeroot_linear",
    "ctranslate2": "takeroot_ctranslate2",
}
EXTENSIONS = (
    "classification",
    "model_repository",
    "model_configuration",
    "binary_tensor_data",
    "statistics",
    "generate",
)
_TYPES = {"BYTES": "TYPE_STRING", "FP32": "TYPE_FP32", "BOOL": "TYPE_BOOL"}


@cache
def server() -> dict[str, Any]:
    """The server's metadata."""
    return {"name": "takeroot", "version": __version__, "extensions": list(EXTENSIONS)}


def metadata(service: Service, name: str, version: str | None) -> dict[str, Any]:
    """A model's metadata, with all versions there are.

    Raises:
        ServeError: unknown_model.
    """
    info = service.find(name, version)
    signature = signature_of(info.spec.task, info.spec.labels)
    versions = [each.version for each in service.models() if each.name == name]
    return {
        "name": info.name,
        "versions": [info.version] if version else versions,
        "platform": PLATFORM[info.spec.runtime],
        "inputs": [_tensor(each, "BYTES", [-1]) for each in signature.inputs],
        "outputs": [
            _tensor(each, OUTPUTS[each].datatype, _shape(signature, each))
            for each in signature.outputs
        ],
    }


def config(service: Service, name: str, version: str | None) -> dict[str, Any]:
    """A model's configuration, as ``ModelConfig``.

    Raises:
        ServeError: unknown_model.
    """
    info = service.find(name, version)
    signature = signature_of(info.spec.task, info.spec.labels)
    return {
        "name": info.name,
        "platform": PLATFORM[info.spec.runtime],
        "backend": "takeroot",
        "version_policy": {"latest": {"num_versions": 1}},
        "max_batch_size": 0,  # shapes hold the number of texts themselves
        "input": [_configured(each, "BYTES", [-1]) for each in signature.inputs],
        "output": [
            _configured(each, OUTPUTS[each].datatype, _shape(signature, each))
            for each in signature.outputs
        ],
        "parameters": {
            key: {"string_value": value} for key, value in _parameters(service, info).items()
        },
    }


def ready(service: Service, name: str, version: str | None) -> bool:
    """Whether a model answers; one that does not exist does not."""
    try:
        service.find(name, version)
    except ServeError:
        return False
    return True


def statistics(service: Service, name: str | None, version: str | None) -> dict[str, Any]:
    """What models have done.

    Raises:
        ServeError: unknown_model.
    """
    return {"model_stats": [_counted(each) for each in service.statistics(name, version)]}


def index(service: Service, *, only_ready: bool) -> list[dict[str, str]]:
    """What the repository holds."""
    return [
        {"name": name, "version": version, "state": state, "reason": _reason(state)}
        for name, version, state in service.repository()
        if state == "READY" or not only_ready
    ]


def _parameters(service: Service, info: ModelInfo) -> dict[str, str]:
    """What else a client may want to know of a model."""
    return {
        "task": info.spec.task,
        "sha256": info.sha256,
        "labels": str(len(info.spec.labels)),
        "max_texts": str(service.settings.max_inputs),
    }


def _reason(state: str) -> str:
    """Why a model is in its state."""
    return "" if state == "READY" else "unloaded"


def _tensor(name: str, datatype: str, shape: list[int]) -> dict[str, Any]:
    """A tensor in metadata."""
    return {"name": name, "datatype": datatype, "shape": shape}


def _configured(name: str, datatype: str, dims: list[int]) -> dict[str, Any]:
    """A tensor in a configuration."""
    return {"name": name, "data_type": _TYPES[datatype], "dims": dims}


def _shape(signature: Signature, output: str) -> list[int]:
    """Of an output, with -1 for the number of texts."""
    return [-1, len(signature.labels)] if OUTPUTS[output].wide else [-1]


def _counted(each: ModelStatistics) -> dict[str, Any]:
    """One version's counters; what Triton splits computing into is one thing here."""
    durations = {
        "success": (each.success_count, each.success_ns),
        "fail": (each.fail_count, each.fail_ns),
        "queue": (each.queue_count, each.queue_ns),
        "compute_input": (0, 0),
        "compute_infer": (each.compute_count, each.compute_ns),
        "compute_output": (0, 0),
        "cache_hit": (each.cache_hit_count, each.cache_hit_ns),
        "cache_miss": (each.cache_miss_count, each.cache_miss_ns),
    }
    return {
        "name": each.name,
        "version": each.version,
        "last_inference": each.last_inference_ms,
        "inference_count": each.inference_count,
        "execution_count": each.execution_count,
        "inference_stats": {
            key: {"count": count, "ns": ns} for key, (count, ns) in durations.items()
        },
        "batch_stats": [],
    }
