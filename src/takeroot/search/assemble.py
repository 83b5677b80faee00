"""The last step of a fit: artifact, evidence, report and bundle."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save as save_arrays

from takeroot.bundle import Outputs, Spec
from takeroot.bundle.abstain import prepare
from takeroot.bundle.cores import usable_cores
from takeroot.bundle.decode import decode
from takeroot.bundle.naming import bundle_name
from takeroot.bundle.runtimes import RUNTIMES
from takeroot.bundle.spec import InputSpec
from takeroot.data import Dataset, write_rejects
from takeroot.evaluate import Evaluation, evaluate
from takeroot.evaluate.keep import without_tables, write_bundle
from takeroot.export import Artifact, make
from takeroot.machine import peak_rss_mb
from takeroot.search import finetune
from takeroot.search import probe as probes
from takeroot.search.choose import Candidate
from takeroot.search.decide import draft_spec
from takeroot.search.evidence import Made, evidence_of
from takeroot.search.finetune import Tuned
from takeroot.search.material import Material
from takeroot.search.tfidf import TfidfModel
from takeroot.search.weights import weight_files
from takeroot.search.work import Judged, Work
from takeroot.train.run_folder import REJECTS

REPLAYED = 1000  # held-out rows replayed through the artifact


def assemble(
    work: Work,
    found: Material,
    candidates: Sequence[Candidate],
    made: Made,
    curve: dict[str, Any] | None,
    out: Path,
) -> dict[str, Any]:
    """Write the bundle to ``out/bundle`` and give the summary ``fit --json`` prints."""
    work.progress.note("exporting, and replaying the artifact on held-out rows")
    spec = _spec(work, found, made)
    artifact = _artifact(work, made, spec)
    if artifact is not None:
        kept = artifact.variant
        changes = {"precision": kept.precision, "pack_tokens": kept.pack_tokens}
        spec = spec.model_copy(update=changes)
    evidence = evidence_of(work, found, candidates, made, artifact, curve)
    files = _model_files(work, made, spec, artifact)
    evidence["metrics"]["test"] = None
    size_mb = sum(len(data) for data in files.values()) / 1e6
    evidence["fit"] |= {"precision": spec.precision, "artifact_mb": size_mb}
    if found.test is not None:
        evidence["metrics"]["test"] = _test(spec, files, made, found.test).to_json()
    evidence["fit"]["seconds"] = round(work.clock.spent(), 1)
    if found.train.rejects:  # before the bundle, with which a run is complete
        write_rejects(found.train, out / REJECTS)
    if work.recipe.output.weights and isinstance(made.model, Tuned):
        files |= weight_files(work, made.model)
    write_bundle(out / "bundle", spec, files, evidence)
    return summary_of(out / "bundle", evidence)


def _spec(work: Work, found: Material, made: Made) -> Spec:
    """The bundle's spec, but for precision and pack size."""
    columns = found.columns
    network = isinstance(made.model, Tuned)
    settings: dict[str, Any] = {
        "name": bundle_name(work.recipe.output.name, found.train.name),
        "runtime": "onnx" if network else "linear",
        "max_tokens": work.max_tokens,
        "input": InputSpec(text=columns.text, second=columns.second, label=columns.label),
        "abstention": made.rule.abstention,
        "mask": work.recipe.serve.mask,
    }
    if network:
        assert work.pretrained is not None
        architecture = work.pretrained.architecture
        settings["position_offset"] = architecture.position_offset
        settings["token_types"] = architecture.token_types
        settings["word_shapes"] = probes.takes_shapes(work.pretrained, work.task)
    return draft_spec(work, made.best.decision, **settings)


def _artifact(work: Work, made: Made, spec: Spec) -> Artifact | None:
    """The exported network, replayed on held-out rows; None for TF-IDF, served as it is."""
    if not isinstance(made.model, Tuned):
        return None
    assert work.pretrained is not None
    rows = made.best.judged.rows[:REPLAYED]
    reference = finetune.outputs_of(work, made.model.model, rows)
    judged = Judged(rows, reference)

    def hits(outputs: Outputs) -> np.ndarray:
        return row_hits(work, Judged(judged.rows, outputs))

    found = make(
        made.model.model,
        spec,
        work.pretrained.tokenizer_json,
        finetune.encode(work, made.train[:: max(1, len(made.train) // 1000)]).rows,
        [work.rows[k].input for k in rows],
        reference,
        hits,
        precision=work.recipe.compress.precision,
        max_drop=work.recipe.compress.max_drop,
    )
    found.evidence["seen_in_training"] = bool(np.isin(rows, made.train).any())
    return found


def row_hits(work: Work, judged: Judged) -> np.ndarray:
    """How much of each judged row is right (N,): its label, its labels, or its words."""
    rows = work.pick(judged.rows)
    if work.task.name == "tag":
        found = finetune.encode(work, judged.rows)
        tags: list[list[int]] = [[] for _ in rows]
        for owner, row in zip(found.owners, found.rows, strict=True):
            tags[owner] += list(row.target)  # type: ignore[arg-type]
        return np.array(
            [
                float((logits.argmax(axis=1) == np.array(gold)).mean()) if gold else 1.0
                for logits, gold in zip(judged.outputs.logits, tags, strict=True)
            ]
        )
    logits, gold = np.asarray(judged.outputs.logits), np.array(work.task.targets(rows))
    if gold.ndim == 1:
        return np.asarray(logits.argmax(axis=1) == gold, np.float64)
    return np.asarray(((logits > 0) == gold).mean(axis=1), np.float64)


def _model_files(work: Work, made: Made, spec: Spec, artifact: Artifact | None) -> dict[str, bytes]:
    """The files that determine answers, but for bundle.json."""
    files: dict[str, bytes] = {}
    if isinstance(made.model, TfidfModel):
        features, linear = made.model.features, made.model.linear
        files["features.json"] = json.dumps(features.to_json(), ensure_ascii=False).encode()
        arrays = {
            "coef": linear.weights.astype(np.float16),
            "intercept": linear.intercept,
            "idf": features.idf,
        }
        files["linear.safetensors"] = save_arrays(arrays)
    else:
        assert artifact is not None and work.pretrained is not None
        files["model.onnx"] = artifact.variant.graph
        files["tokenizer.json"] = work.pretrained.tokenizer_json
    if made.rule.reference:
        files["reference.safetensors"] = save_arrays(made.rule.reference)
    return files


def _test(spec: Spec, files: Mapping[str, bytes], made: Made, test: Dataset) -> Evaluation:
    """The artifact's answers to the test rows, evaluated: the only look at them."""
    inputs = [row.input for row in test.examples]
    runtime = RUNTIMES[spec.runtime](spec, files.__getitem__, threads=usable_cores())
    reference = {}
    if spec.abstention is not None:
        reference = prepare(spec.abstention.method, made.rule.reference)
    answers = decode(spec, runtime.run(inputs), reference, inputs)
    gold = [row.label for row in test.examples]
    return evaluate(spec.task, spec.labels, answers, gold, inputs)


def summary_of(bundle: Path, evidence: Mapping[str, Any]) -> dict[str, Any]:
    """What ``fit --json`` prints."""
    fit, parity = evidence["fit"], evidence.get("parity", {})
    return {
        "bundle": str(bundle),
        "method": fit["method"],
        "task": fit["task"],
        "seconds": fit["seconds"],
        "peak_rss_mb": peak_rss_mb(),
        "valid": without_tables(evidence["metrics"]["valid"]),
        "test": without_tables(evidence["metrics"]["test"]),
        "candidates": [
            {key: each[key] for key in ("method", "seconds", "valid")}
            for each in evidence["candidates"]
        ],
        "parity": {
            key: parity.get(key) for key in ("label_agreement", "max_probability_difference")
        },
        "artifact_mb": round(fit["artifact_mb"], 2),
        "precision": fit["precision"],
    }
