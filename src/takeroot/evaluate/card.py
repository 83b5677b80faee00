"""The model card: what a person needs to know before using the bundle, as Markdown.

Follows the sections of Mitchell et al. 2019, "Model Cards for Model Reporting"
(arXiv:1810.03993), as far as they can be filled in from evidence; what only people can say is
asked for in words.
"""

from __future__ import annotations

from typing import Any

from takeroot.evaluate.report.numbers import (
    block,
    count,
    decimal,
    duration,
    megabytes,
    number,
    pair,
    percent,
    rows,
    span,
)
from takeroot.evaluate.report.overview import main_metric, shown_rows
from takeroot.evaluate.report.words import KINDS, METRICS, method_name, metric_name

Evidence = dict[str, Any]
MOST_LABELS = 200
MOST_WEAK = 5
SCORES = 8  # lines of the score table
ESCAPED = "\\`*_{}[]<>#|~$"
TO_SAY = """## For people to say

Fill this in before others rely on the model; it cannot be measured.

- Intended use, and who decides on what it answers:
- Uses to stay away from:
- Who is affected by a wrong answer, and how they can object:
"""


def render_card(evidence: Evidence) -> str:
    """The model card; parts without evidence are left out."""
    parts = [
        _title(evidence),
        _scores(evidence),
        _gain(evidence),
        _limits(evidence),
        _data(evidence),
        _served(evidence),
        _labels(evidence),
        TO_SAY,
    ]
    return "\n".join(part for part in parts if part)


def plain(text: object) -> str:
    """The user's text on one line, with all that Markdown or HTML could read as a sign escaped."""
    line = " ".join(str(text).split())
    return "".join(f"\\{each}" if each in ESCAPED else each for each in line)


def _title(evidence: Evidence) -> str:
    """What it is."""
    fit, environment = block(evidence, "fit"), block(evidence, "environment")
    version = environment.get("takeroot") or block(environment, "packages").get("takeroot")
    facts = {
        "Task": KINDS.get(str(fit.get("task")), fit.get("task")),
        "Method": method_name(fit["method"]) if fit.get("method") else None,
        "Pretrained model": fit.get("model"),
        "Made": environment.get("created"),
        "With": f"takeroot {version}" if version else None,
    }
    lines = [f"- {key}: {plain(value)}" for key, value in facts.items() if value]
    notes = fit.get("notes")
    lines += [f"- Note: {plain(note)}" for note in notes] if isinstance(notes, list) else []
    return "\n".join([f"# {plain(fit.get('name') or 'A takeroot model')}", "", *lines, ""])


def _scores(evidence: Evidence) -> str:
    """How good it is."""
    evaluation, kept = shown_rows(evidence)
    names = [name for name in METRICS if number(evaluation.get(name)) is not None][:SCORES]
    if not names:
        return ""
    names.sort(key=lambda name: name != main_metric(evaluation))
    intervals = block(evaluation, "intervals")
    lines = [
        f"| {metric_name(name)} | {percent(evaluation[name])} | {span(intervals.get(name))} |"
        for name in names
    ]
    where = f"Measured on {count(evaluation.get('n'))} {kept} rows, which took no part in training."
    head = ["| score | value | 95 % interval |", "|---|---:|---:|"]
    return "\n".join(["## How good it is", "", where, "", *head, *lines, ""])


def _gain(evidence: Evidence) -> str:
    """What training has changed in a model that writes."""
    gain = block(evidence, "metrics", "gain")
    lines = []
    for name in METRICS:
        change = number(block(gain, name).get("change"))
        ends = pair(block(gain, name).get("interval"))
        if change is not None and ends:
            around = f"{100 * ends[0]:+.1f} to {100 * ends[1]:+.1f}"
            lines.append(f"- {metric_name(name)}: {100 * change:+.1f} points ({around})")
    if not lines:
        return ""
    head = "On the same test rows, against the pretrained model, with 95 % intervals:"
    return "\n".join(["## What training has changed", "", head, "", *lines, ""])


def _limits(evidence: Evidence) -> str:
    """Where it is weak."""
    evaluation, _ = shown_rows(evidence)
    seen = [each for each in rows(evaluation, "per_class") if number(each.get("support"))]
    weak = sorted(seen, key=lambda each: number(each.get("f1")) or 0.0)[:MOST_WEAK]
    lines = [
        f"- {plain(each.get('label'))}: F1 {percent(each.get('f1'), 0)} over "
        f"{count(each.get('support'))} items"
        for each in weak
    ]
    abstention = block(evidence, "abstention")
    if abstention.get("method"):
        lines.append(
            f"- It abstains by {plain(abstention['method'])}, which turns away "
            f"{percent(abstention.get('in_scope_rejected'))} of texts that fit a label."
        )
    if not lines:
        return ""
    return "\n".join(["## Where it is weak", "", "Weakest labels first.", "", *lines, ""])


def _data(evidence: Evidence) -> str:
    """What it learned from."""
    fit, report = block(evidence, "fit"), block(evidence, "data")
    lines = []
    if number(fit.get("rows_train")) is not None:
        lines.append(
            f"- {count(fit['rows_train'])} rows to learn from, {count(fit.get('rows_valid'))} to "
            f"choose by, {count(fit.get('rows_test'))} to test on"
        )
    lines += [
        f"- {plain(each.get('message') or each.get('kind'))}"
        for each in rows(report, "issues")
        if each.get("level") in {"error", "warn"}
    ]
    found = {kind: n for kind, n in block(report, "personal_data").items() if number(n)}
    if found:
        listed = ", ".join(f"{plain(kind)} {count(times)}" for kind, times in found.items())
        lines.append(f"- Personal data found in the texts: {listed}")
    return "\n".join(["## What it learned from", "", *lines, ""]) if lines else ""


def _served(evidence: Evidence) -> str:
    """The file, its closeness to the network, and its speed."""
    fit, parity = block(evidence, "fit"), block(evidence, "parity")
    lines = []
    if number(fit.get("artifact_mb")) is not None:
        lines.append(f"- {megabytes(fit['artifact_mb'])}, {plain(fit.get('precision') or '')}")
    if number(parity.get("label_agreement")) is not None:
        lines.append(
            f"- {percent(parity['label_agreement'], 2)} of {count(parity.get('rows'))} rows get "
            "the trained network's label"
        )
    if number(parity.get("token_agreement")) is not None:
        lines.append(
            f"- {percent(parity['token_agreement'], 2)} of {count(parity.get('tokens'))} tokens it "
            "wrote are those of the trained network"
        )
    for each in rows(parity, "variants"):
        if number(each.get("tokens_per_s")) is not None:
            lines.append(
                f"- {plain(each.get('precision'))}: {count(each['tokens_per_s'])} tokens a second"
            )
            continue
        ends = pair(each.get("drop_interval"))
        lost = f", loses {100 * ends[0]:.2f} to {100 * ends[1]:.2f} points" if ends else ""
        lines.append(
            f"- {plain(each.get('precision'))}: {decimal(each.get('latency_ms'), 1)} ms a text, "
            f"{count(each.get('texts_per_s'))} texts a second{lost}"
        )
    if number(fit.get("seconds")) is not None:
        lines.append(f"- Made in {duration(fit['seconds'])}")
    return "\n".join(["## What is served", "", *lines, ""]) if lines else ""


def _labels(evidence: Evidence) -> str:
    """The labels it knows."""
    labels = block(evidence, "fit").get("labels")
    if not isinstance(labels, list | tuple) or not labels:
        return ""
    shown = ", ".join(plain(label) for label in labels[:MOST_LABELS])
    rest = f", … ({len(labels)} in all)" if len(labels) > MOST_LABELS else ""
    return f"## Labels\n\n{shown}{rest}\n"
