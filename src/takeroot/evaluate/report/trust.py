"""When to believe the model: calibration, what abstaining buys, and strangers at the door."""

from __future__ import annotations

from typing import Any

from takeroot.evaluate.report.charts import reliability_chart, risk_coverage_chart
from takeroot.evaluate.report.html import Html, el, table
from takeroot.evaluate.report.numbers import (
    block,
    count,
    decimal,
    number,
    percent,
    points,
    rows,
)
from takeroot.evaluate.report.overview import shown_rows
from takeroot.evaluate.report.parts import figure, legend, section
from takeroot.evaluate.report.words import SCOPE

Evidence = dict[str, Any]


def trust(evidence: Evidence) -> Html | None:
    """The section."""
    return section(
        "trust",
        "When to trust it",
        "A model should know what it does not know: say how sure it is, and step back when a text "
        "is not for it.",
        _reliability(evidence),
        _risk(evidence),
        _abstention(evidence),
        _calibration(evidence),
    )


def _reliability(evidence: Evidence) -> Html | None:
    """The reliability diagram."""
    evaluation, _ = shown_rows(evidence)
    found = points(rows(evaluation, "reliability"), "confidence", "accuracy", "count")
    bins = [each for each in found if each[2] > 0]
    if not bins:
        return None
    reading = f"{_gap(bins, evaluation.get('task'))} {_example(bins)}"
    drawn = reliability_chart(bins, reading)
    lines = ((percent(s), percent(r), count(n)) for s, r, n in bins)
    numbers = table(("Says", "Is right", "Decisions"), lines, text_columns=0)
    key = legend(
        ("spot", "this model; larger: more texts"), ("area", "range"), ("ref", "perfect honesty")
    )
    return figure("Is its confidence honest?", reading, drawn, key, numbers=numbers)


def _gap(bins: list[tuple[float, ...]], task: Any) -> str:
    """How far confidence and truth lie apart."""
    total = sum(rows for *_, rows in bins)
    error = sum(rows * abs(sure - right) for sure, right, rows in bins) / total
    lean = sum(rows * (sure - right) for sure, right, rows in bins) / total
    if error < 0.025:
        return f"Yes: what it says and what comes true differ by {100 * error:.1f} points."
    which = "too sure of itself" if lean > 0 else "too modest"
    if task == "multilabel":  # a label's 2 % that never comes true is caution, not boldness
        which = "off"
    much = "a little" if error < 0.06 else "clearly"
    points_off = f"what it says and what comes true differ by {100 * error:.1f} points"
    return f"It is {much} {which}: {points_off}."


def _example(bins: list[tuple[float, ...]]) -> str:
    """One bin in words: the fullest between a coin and certainty."""
    below = [each for each in bins if 0.5 <= each[0] < 0.97] or bins
    sure, right, _ = max(below, key=lambda each: each[2])
    return f"When it says {percent(sure, 0)}, it is right {percent(right, 0)} of the time."


def _risk(evidence: Evidence) -> Html | None:
    """The risk–coverage curve."""
    evaluation, _ = shown_rows(evidence)
    full = points(rows(evaluation, "risk_coverage"), "coverage", "risk", "confidence")
    spots = sorted(full)
    if len(spots) < 2:
        return None
    coverage, kept = number(evaluation.get("coverage")), evaluation.get("selective_accuracy")
    right = number(kept)
    chosen = (coverage, 1 - right) if coverage and right is not None and coverage < 1 else None
    reading = _saving(spots)
    drawn = risk_coverage_chart([spot[:2] for spot in spots], chosen, reading)
    lines = ((percent(c, 0), percent(r, 2), percent(s, 0)) for c, r, s in spots)
    numbers = table(("Answered", "Wrong among them", "From confidence"), lines, text_columns=0)
    key = (
        legend(("", "errors among the answered"))
        if chosen is None
        else el("p", "The dot: what it does as delivered.", cls="legend")
    )
    return figure("What does silence buy?", reading, drawn, key, numbers=numbers)


def _saving(spots: list[tuple[float, ...]]) -> str:
    """Errors at four fifths of the texts against errors at all of them."""
    part = min(spots, key=lambda each: abs(each[0] - 0.8))
    share, rest = percent(part[0], 0), percent(1 - part[0], 0)
    return (
        f"If it answers only the surest {share} of texts and leaves {rest} to a person, "
        f"{percent(part[1])} of its answers are wrong, instead of {percent(spots[-1][1])}."
    )


def _abstention(evidence: Evidence) -> Html | None:
    """Ways of noticing texts that fit no label."""
    found = block(evidence, "abstention")
    ways = block(found, "methods")
    if not found.get("method"):
        return None
    name = SCOPE.get(str(found["method"]), str(found["method"]))
    turned = number(found.get("in_scope_rejected"))
    recall = block(ways, str(found["method"])).get("recall_at_default")
    cost = f" at the price of turning away {percent(turned)} of those that do" if turned else ""
    if number(recall) is None:
        reading = f"“{name}” decides when a text is out of scope{cost}."
    else:
        scores = [n for way in ways if (n := number(block(ways, way).get("auroc"))) is not None]
        best = number(block(ways, str(found["method"])).get("auroc")) == max(scores, default=None)
        reading = (
            f"“{name}” {'told strangers apart best: it' if best else 'is used: it'} notices "
            f"{percent(recall, 0)} of texts that fit no label{cost}. It was tried by hiding whole "
            "labels from training."
        )
    lines = (
        (
            _way(way, found["method"]),
            percent(block(ways, way).get("auroc")),
            percent(block(ways, way).get("recall_at_default"), 0),
        )
        for way in ways
    )
    body = table(("Way", "Told apart", "Noticed"), lines) if ways else None
    return figure("Does it notice strangers?", reading, body)


def _way(way: str, chosen: Any) -> Html:
    """A way's name, marked where it was chosen."""
    badge = el("span", "kept", cls="badge") if way == chosen else None
    return el("span", SCOPE.get(way, way), " ", badge)


def _calibration(evidence: Evidence) -> Html | None:
    """What temperature scaling did."""
    found = block(evidence, "calibration")
    temperature = number(found.get("temperature"))
    if temperature is None:
        return None
    how = "was too sure of itself" if temperature > 1 else "was too modest"
    reading = (
        f"Fresh from training it {how}; its outputs are divided by {decimal(temperature)}, which "
        "changes no label and makes the confidence honest."
    )
    lines = [
        (title, decimal(found.get(f"{key}_before"), 4), decimal(found.get(f"{key}_after"), 4))
        for key, title in (("ece", "Calibration error"), ("nll", "Surprise at the truth (NLL)"))
        if number(found.get(f"{key}_after")) is not None
    ]
    return figure("Tuning its confidence", reading, table(("", "Before", "After"), lines))
