"""Rows answered by the files that are served, and scored: texts, and loss of the references.

Shapes: N rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from takeroot.bundle.answer import Answer
from takeroot.bundle.cores import usable_cores
from takeroot.bundle.decode import decode
from takeroot.bundle.prompts import Prompts
from takeroot.bundle.runtimes import RUNTIMES
from takeroot.bundle.spec import Spec
from takeroot.bundle.tokens import load_tokenizer
from takeroot.data.exchanges import Exchange
from takeroot.errors import BundleError
from takeroot.evaluate.generate import evaluate_texts
from takeroot.generation.engine import Engine
from takeroot.generation.material import rows_of
from takeroot.generation.objective import Judged, perplexity
from takeroot.metrics.bootstrap import interval, resample, statistic_interval
from takeroot.metrics.text import text_rows, text_scores
from takeroot.train import Progress

CHUNK = 32  # rows between two reports
MOST_ANSWERED = 500  # rows that are answered; the loss is that of all


@dataclass(frozen=True)
class Answered:
    """Rows with the model's answers and figures.

    Args:
        asked: The rows that were answered.
        answers: To each of them.
        judged: How the references were judged, of all rows.
        figures: Scores with intervals, as ``metrics.json`` holds them.
    """

    asked: tuple[Exchange, ...]
    answers: tuple[Answer, ...]
    judged: Judged
    figures: dict[str, Any]


def answer(
    spec: Spec,
    files: Mapping[str, bytes],
    rows: Sequence[Exchange],
    show: Progress,
    stage: str,
    most: int = MOST_ANSWERED,
) -> Answered:
    """The served files' answers to rows, evaluated.

    Args:
        spec: Of the bundle.
        files: That determine its answers, by name.
        rows: With references.
        show: Where to report to.
        stage: What the report calls this.
        most: How many rows are answered, taken evenly.
    """
    spread = np.linspace(0, len(rows) - 1, min(len(rows), most)).round().astype(int)
    asked = tuple(rows[place] for place in spread)
    answers = _written(spec, files, asked, show, stage)
    found = evaluate_texts(spec.task, answers, [row.response for row in asked])
    judged = _judged(spec, files, rows, show, stage)
    figures = found.to_json() | {"loss": judged.loss, "perplexity": perplexity(judged.loss)}
    figures["intervals"] = figures["intervals"] | _intervals(judged)
    figures["judged"] = int((judged.tokens > 0).sum())
    return Answered(asked, answers, judged, figures)


def gain(before: Answered, after: Answered) -> dict[str, Any]:
    """What training has changed in each score and in the loss, on the same rows, with intervals.

    Rows are drawn for both at once, so that what makes a row hard for both does not widen them.
    """
    gold = [row.response or "" for row in after.asked]
    first, second = (
        text_rows([a.text or "" for a in each.answers], gold) for each in (before, after)
    )
    one, drawn = np.ones((1, len(gold))), resample(np.ones(len(gold)))
    changes: dict[str, list[np.ndarray]] = {}
    for weights in (one, drawn):
        was, now = text_scores(first, weights), text_scores(second, weights)
        for name in now:
            changes.setdefault(name, []).append(now[name] - was[name])
    found = {
        name: {"change": float(all_rows[0]), "interval": list(interval(again))}
        for name, (all_rows, again) in changes.items()
    }
    losses = np.stack([before.judged.losses, after.judged.losses, before.judged.tokens], axis=1)
    ends = statistic_interval(losses, lambda sums: (sums[:, 1] - sums[:, 0]) / sums[:, 2])
    loss = {"change": after.judged.loss - before.judged.loss, "interval": list(ends)}
    return {"loss": loss, **found}


def _written(
    spec: Spec, files: Mapping[str, bytes], asked: Sequence[Exchange], show: Progress, stage: str
) -> tuple[Answer, ...]:
    """The answers to some rows."""

    def read(name: str) -> bytes:
        if name not in files:
            raise BundleError(f"no file {name!r}")
        return files[name]

    runtime = RUNTIMES[spec.runtime](spec, read, threads=usable_cores())
    answers: list[Answer] = []
    for start in range(0, len(asked), CHUNK):
        inputs = [row.input for row in asked[start : start + CHUNK]]
        answers += decode(spec, runtime.run(cast(Any, inputs)), {}, cast(Any, inputs))
        show.step(f"{stage}: answering", len(answers), len(asked), {})
    return tuple(answers)


def _judged(
    spec: Spec, files: Mapping[str, bytes], rows: Sequence[Exchange], show: Progress, stage: str
) -> Judged:
    """The loss of the references; of rows that reach beyond the model's positions none."""
    assert spec.generation is not None  # what writes has it
    how, causal = spec.generation, spec.task == "generate"
    tokenizer = load_tokenizer(files["tokenizer.json"])
    encoded = rows_of(Prompts(tokenizer, how, spec.max_tokens), rows)
    lengths = [len(row.answer) + (len(row.prompt) if causal else 0) for row in encoded]
    fits = [how.context is None or length <= how.context for length in lengths]
    engine = Engine(files, tokenizer, causal=causal, ends=how.end)
    fitting = [row for row, fit in zip(encoded, fits, strict=True) if fit]
    found = engine.judge(
        fitting, lambda count: show.step(f"{stage}: loss", count, len(fitting), {})
    )
    losses, tokens = np.zeros(len(rows)), np.zeros(len(rows), np.int64)
    places = np.flatnonzero(fits)
    losses[places], tokens[places] = found.losses, found.tokens
    return Judged(losses, tokens, np.zeros(len(rows), np.int64))


def _intervals(judged: Judged) -> dict[str, list[float]]:
    """Of loss and perplexity, rows being drawn again."""
    rows = np.stack([judged.losses, judged.tokens], axis=1)
    low, high = statistic_interval(rows, lambda sums: sums[:, 0] / sums[:, 1])
    return {"loss": [low, high], "perplexity": [perplexity(low), perplexity(high)]}
