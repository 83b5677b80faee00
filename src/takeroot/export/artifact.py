"""The served artifact: float32 and int8 forms, measured on this machine, and which is kept.

int8 is kept only where it is faster here and its held-out drop is inside the recipe's bound; the
measurements go into the bundle as evidence.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from takeroot.bundle import Input, Outputs, Spec
from takeroot.bundle.cores import usable_cores
from takeroot.bundle.decode import probabilities
from takeroot.bundle.packing import flatten, pack, plan
from takeroot.bundle.runtimes.onnx import OnnxRuntime
from takeroot.export.graph import export_graph
from takeroot.export.quantize import quantize
from takeroot.metrics.compare import paired_difference
from takeroot.models.text_model import TextModel
from takeroot.tasks import Encoded

CALIBRATION_ROWS = 256
CALIBRATION_PACK = 128  # tokens
PACKS = (64, 96, 128)  # tokens a pack, tried for throughput
SPEED_ROWS = 128  # texts a speed measurement runs over
LATENCY_ROWS = 40
FASTER = 1.1  # int8 must be this much faster than float32 to be kept

Hits = Callable[[Outputs], np.ndarray]  # share of each row that is right (N,)


@dataclass(frozen=True)
class Variant:
    """One precision of the artifact and what was measured of it.

    Args:
        precision: ``fp32`` or ``int8``.
        graph: The serialized ONNX model.
        outputs: For the held-out inputs.
        pack_tokens: The pack size with the best throughput.
        latency_ms: Median of single texts on one thread.
        texts_per_s: At the best pack size, on all usable cores.
    """

    precision: str
    graph: bytes
    outputs: Outputs
    pack_tokens: int
    latency_ms: float
    texts_per_s: float


@dataclass(frozen=True)
class Artifact:
    """What is served, and the evidence for it."""

    variant: Variant
    evidence: dict[str, Any]


def make(  # noqa: PLR0913  # two halves, what is made and what it is held against, both named
    model: TextModel,
    spec: Spec,
    tokenizer: bytes,
    train: Sequence[Encoded],
    inputs: Sequence[Input],
    reference: Outputs,
    hits: Hits,
    *,
    precision: str,
    max_drop: float,
) -> Artifact:
    """Export, quantize, replay on held-out inputs, and keep what the measurements favour.

    Args:
        model: The trained network.
        spec: The bundle's; precision and pack size are filled in here.
        tokenizer: tokenizer.json.
        train: Training rows; int8 scales are calibrated on some of them.
        inputs: Held-out inputs.
        reference: The network's own float32 outputs for them.
        hits: How right outputs for them are.
        precision: ``auto``, ``fp32`` or ``int8``.
        max_drop: Largest loss of the mean of ``hits``.
    """
    graph = export_graph(model)
    forms = {"fp32": graph}
    if precision != "fp32":
        forms["int8"] = quantize(graph, calibration_packs(spec, train))
    if precision == "int8":
        del forms["fp32"]
    found = {
        name: measure(spec.model_copy(update={"precision": name}), form, tokenizer, inputs)
        for name, form in forms.items()
    }
    right = hits(reference)
    rows = [_row(each, right, hits(each.outputs)) for each in found.values()]
    kept, reason = decide({row["precision"]: row for row in rows}, max_drop, precision)
    chosen = found[kept]
    evidence = {
        **agreement(spec, reference, chosen.outputs),
        "rows": len(inputs),
        "precision": kept,
        "reason": reason,
        "variants": rows,
    }
    return Artifact(chosen, evidence)


def calibration_packs(spec: Spec, rows: Sequence[Encoded]) -> list[dict[str, np.ndarray]]:
    """Packs made of some training rows, spread evenly over them."""
    step = max(1, len(rows) // CALIBRATION_ROWS)
    some = rows[::step][:CALIBRATION_ROWS]
    flat = flatten(
        [list(row.ids) for row in some], [list(row.types) for row in some], spec.position_offset
    )
    pooled = spec.task != "tag"
    packs = [pack(flat, a, b, pooled=pooled) for a, b in plan(flat.starts, CALIBRATION_PACK)]
    if not spec.token_types:
        for each in packs:
            del each["token_type_ids"]
    return packs


def measure(spec: Spec, graph: bytes, tokenizer: bytes, inputs: Sequence[Input]) -> Variant:
    """Replay the held-out inputs through the very runtime that serves, and time it."""
    files: Mapping[str, bytes] = {"model.onnx": graph, "tokenizer.json": tokenizer}
    runtime = OnnxRuntime(spec, files.__getitem__, threads=usable_cores())
    some = list(inputs[:SPEED_ROWS])
    rates = {size: _rate(runtime.with_pack_tokens(size), some) for size in PACKS}
    best = max(rates, key=lambda size: rates[size])
    outputs = runtime.with_pack_tokens(best).run(inputs)
    latency_ms = _latency_ms(runtime, some[:LATENCY_ROWS])  # one text is one pack: one thread
    return Variant(spec.precision, graph, outputs, best, latency_ms, rates[best])


def agreement(spec: Spec, reference: Outputs, served: Outputs) -> dict[str, float]:
    """How close the served outputs are to the network's own.

    Returns:
        ``label_agreement``: share of decisions (rows; for tag words; for multilabel labels of rows)
        that are the same; ``max_probability_difference``.
    """
    ours, theirs = (probabilities(spec, _decisions(each)) for each in (reference, served))
    if not ours.size:
        return {"label_agreement": 1.0, "max_probability_difference": 0.0}
    if spec.task == "multilabel":
        limits = np.array([spec.thresholds.get(label, 0.5) for label in spec.labels])
        same = (ours >= limits) == (theirs >= limits)
    else:
        same = ours.argmax(axis=1) == theirs.argmax(axis=1)
    return {
        "label_agreement": float(same.mean()),
        "max_probability_difference": float(np.abs(ours - theirs).max()),
    }


def _decisions(outputs: Outputs) -> np.ndarray:
    """Logits with a row a decision: a text, or for tag a word."""
    logits = outputs.logits
    return np.concatenate(logits) if isinstance(logits, list) else logits


def decide(rows: Mapping[str, dict[str, Any]], max_drop: float, wanted: str) -> tuple[str, str]:
    """The precision to keep, and why."""
    if wanted != "auto":
        return wanted, f"{wanted} was asked for"
    small, full = rows["int8"], rows["fp32"]
    gain = small["texts_per_s"] / full["texts_per_s"]
    low, high = small["drop_interval"]
    loss = (
        f"loses {100 * small['drop']:.2f} points "
        f"(95 % interval {100 * low:.2f} to {100 * high:.2f})"
    )
    if gain < FASTER:
        return "fp32", f"int8 is only {gain:.2f} times as fast on this machine"
    # The mean is judged; its interval is shown, as some hundred rows cannot prove the bound.
    if small["drop"] > max_drop:
        return "fp32", f"int8 {loss}, more than compress.max_drop allows: {100 * max_drop:.2f}"
    return "int8", f"int8 is {gain:.2f} times as fast and {loss}"


def _row(variant: Variant, right: np.ndarray, served: np.ndarray) -> dict[str, Any]:
    """A variant's measurements, as the report shows them."""
    gap = paired_difference(served, right)
    return {
        "precision": variant.precision,
        "metric": float(served.mean()),
        "drop": gap.mean,
        "drop_interval": [gap.low, gap.high],
        "latency_ms": variant.latency_ms,
        "texts_per_s": variant.texts_per_s,
        "pack_tokens": variant.pack_tokens,
        "size_mb": len(variant.graph) / 1e6,
    }


def _rate(runtime: OnnxRuntime, inputs: Sequence[Input]) -> float:
    """Texts a second, the better of two runs after one that warms up."""
    runtime.run(inputs[:32])
    best = float("inf")
    for _ in range(2):
        start = time.perf_counter()
        runtime.run(inputs)
        best = min(best, time.perf_counter() - start)
    return len(inputs) / best


def _latency_ms(runtime: OnnxRuntime, inputs: Sequence[Input]) -> float:
    """Median time of one text alone."""
    times = []
    for each in inputs:
        start = time.perf_counter()
        runtime.run([each])
        times.append(time.perf_counter() - start)
    return 1000 * float(np.median(times))
