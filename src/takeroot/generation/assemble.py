"""The last step of a fit: rows answered, evidence, report and bundle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from takeroot.bundle import Spec
from takeroot.bundle.naming import bundle_name
from takeroot.bundle.spec import InputSpec
from takeroot.data.write import write_csv
from takeroot.evaluate.keep import without_tables, write_bundle
from takeroot.generation.answering import Answered, answer, gain
from takeroot.generation.export import convert
from takeroot.generation.material import Files, Material
from takeroot.generation.parity import Exported
from takeroot.generation.training import Trained
from takeroot.generation.weights import weight_files
from takeroot.generation.words import asked_without, words_in
from takeroot.machine import environment, peak_rss_mb
from takeroot.models.generator import PretrainedGenerator
from takeroot.recipe import SCRATCH, Recipe
from takeroot.train import Progress
from takeroot.train.clock import Clock
from takeroot.train.run_folder import REJECTS

SHOWN = 12  # rows whose answers the report shows
SHOWN_CHARACTERS = 600
VALID_ANSWERED = 100  # held-out rows that are answered


@dataclass(frozen=True)
class Work:
    """What a fit was made from.

    Args:
        recipe: What it did.
        files: The rows.
        found: As tokens.
        pretrained: With the trained network.
        untouched: What it was before training, where test rows are to be answered with it as well.
        base: Fingerprint of the weights before training.
        clock: The time limit.
        progress: Where to report to.
    """

    recipe: Recipe
    files: Files
    found: Material
    pretrained: PretrainedGenerator
    untouched: PretrainedGenerator | None
    base: str
    clock: Clock
    progress: Progress


def assemble(work: Work, done: Trained, made: Exported, out: Path) -> dict[str, Any]:
    """Write the bundle to ``out/bundle`` and give the summary ``fit --json`` prints."""
    spec = _spec(work, made)
    valid = answer(spec, made.files, work.found.asked, work.progress, "held out", VALID_ANSWERED)
    evidence = _evidence(work, done, made, valid)
    files = dict(made.files)
    if work.recipe.output.weights:
        files |= weight_files(work.pretrained.network, done, work.recipe.model, work.base)
    _test(work, spec, made, evidence)
    evidence["fit"]["seconds"] = round(work.clock.spent(), 1)
    if work.found.rejects:  # before the bundle, with which a run is complete
        cells = ((each.line, each.reason, each.excerpt) for each in work.found.rejects)
        write_csv(out / REJECTS, ("line", "reason", "excerpt"), cells)
    write_bundle(out / "bundle", spec, files, evidence)
    return summary_of(out / "bundle", evidence)


def summary_of(bundle: Path, evidence: Mapping[str, Any]) -> dict[str, Any]:
    """What ``fit --json`` prints."""
    fit, parity, metrics = evidence["fit"], evidence["parity"], evidence["metrics"]
    return {
        "bundle": str(bundle),
        "method": fit["method"],
        "task": fit["task"],
        "seconds": fit["seconds"],
        "peak_rss_mb": peak_rss_mb(),
        "valid": without_tables(metrics["valid"]),
        "test": without_tables(metrics["test"]),
        "test_before": without_tables(metrics["before"]),
        "gain": metrics["gain"],
        "candidates": [
            {key: each[key] for key in ("method", "seconds", "valid")}
            for each in evidence["candidates"]
        ],
        "parity": {key: parity[key] for key in ("token_agreement", "answer_agreement")},
        "artifact_mb": round(fit["artifact_mb"], 2),
        "precision": fit["precision"],
    }


def _spec(work: Work, made: Exported) -> Spec:
    """The bundle's spec."""
    columns = work.files.train.columns
    return Spec.model_validate(
        {
            "name": bundle_name(work.recipe.output.name, work.files.train.name),
            "task": work.recipe.task,
            "runtime": "ctranslate2",
            "precision": made.precision,
            "normalisation": "none",
            "max_tokens": work.found.max_tokens,
            "input": InputSpec(text=columns.text, label=columns.label),
            "generation": work.found.how,
            "mask": work.recipe.serve.mask,
        }
    )


def _spec_before(spec: Spec) -> Spec:
    """How the model was asked before training: without learned words, the texts as long."""
    assert spec.generation is not None  # what writes has it
    fewer = spec.max_tokens - words_in(spec.generation)
    how = asked_without(spec.generation)
    return spec.model_copy(update={"generation": how, "max_tokens": fewer})


def _test(work: Work, spec: Spec, made: Exported, evidence: dict[str, Any]) -> None:
    """Put into the evidence how the test rows are answered: the only look at them."""
    metrics: dict[str, Any] = evidence["metrics"]
    if work.files.test is None:
        return
    rows = work.files.test.rows
    after = answer(spec, made.files, rows, work.progress, "test")
    metrics["test"] = after.figures
    before = None
    if work.untouched is not None:
        files = convert(work.untouched.network, work.untouched, made.precision)
        before = answer(_spec_before(spec), files, rows, work.progress, "test, before training")
        metrics |= {"before": before.figures, "gain": gain(before, after)}
    evidence["answers"] = _shown(after, before)


def _evidence(work: Work, done: Trained, made: Exported, valid: Answered) -> dict[str, Any]:
    """Everything that was measured, by the names the report knows."""
    files, found = work.files, work.found
    size_mb = sum(map(len, made.files.values())) / 1e6
    score = 1 / valid.figures["perplexity"]
    return {
        "metrics": {
            "valid": valid.figures
            | {"before": done.before.figures(), "after": done.after.figures()},
            "test": None,
            "before": None,
            "gain": None,
        },
        "fit": {
            "name": bundle_name(work.recipe.output.name, files.train.name),
            "task": work.recipe.task,
            "method": done.method,
            "model": None if work.recipe.model == SCRATCH else work.recipe.model,
            "rows_train": len(found.train),
            "rows_valid": len(found.valid),
            "rows_test": 0 if files.test is None else len(files.test.rows),
            "rows_left_out": len(found.rejects),
            "prompts_cut": found.cut,
            "parameters_trained": done.parameters[0],
            "parameters": done.parameters[1],
            "training_precision": done.precision,
            "precision": made.precision,
            "artifact_mb": size_mb,
            "notes": [*files.train.columns.notes, *_events(done)],
        },
        "candidates": [
            {
                "method": done.method,
                "seconds": round(work.clock.spent(), 1),
                "metric": "token_probability",
                "valid": score,
                "chosen": True,
            }
        ],
        "parity": made.evidence,
        "answers": _shown(valid, None),
        "progress": asdict(done.history),
        "recipe": work.recipe.model_dump(mode="json"),
        "environment": environment(),
    }


def _events(done: Trained) -> list[str]:
    """What was out of the ordinary in the training, a line each."""
    return [f"training, step {each['step']}: {each['event']}" for each in done.history.events]


def _shown(after: Answered, before: Answered | None) -> list[dict[str, str | None]]:
    """Some rows with what was written, for the report."""
    shown = []
    for place, (row, answered) in enumerate(zip(after.asked, after.answers, strict=True)):
        if place == SHOWN:
            break
        shown.append(
            {
                "prompt": row.shown[:SHOWN_CHARACTERS],
                "reference": row.response,
                "answer": answered.text,
                "before": None if before is None else before.answers[place].text,
            }
        )
    return shown
