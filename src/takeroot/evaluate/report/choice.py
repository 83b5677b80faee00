"""How the model was chosen, how it learned, and what more labels would bring."""

from __future__ import annotations

from typing import Any

from takeroot.evaluate.report.charts import interval_bar, learning_chart, training_chart
from takeroot.evaluate.report.html import Html, data, el, join, table
from takeroot.evaluate.report.numbers import (
    MISSING,
    block,
    count,
    decimal,
    duration,
    number,
    pair,
    percent,
    points,
    rows,
    short,
    span,
)
from takeroot.evaluate.report.parts import figure, legend, section
from takeroot.evaluate.report.words import method_name, metric_name

Evidence = dict[str, Any]
MOST_STEPS = 200  # points of the training curve that are drawn
MOST_LISTED = 25  # of them, in its table


def choice(evidence: Evidence) -> Html | None:
    """The section."""
    return section(
        "choice",
        "How it was chosen",
        "Several ways of training were tried on this data; the best one that is not needlessly "
        "expensive was kept.",
        _candidates(evidence),
        _learning(evidence),
        _training(evidence),
    )


def _candidates(evidence: Evidence) -> Html | None:
    """Every way that was tried, with its score and interval."""
    tried = [each for each in rows(evidence, "candidates") if _score(each) is not None]
    if not tried:
        return None
    tried.sort(key=lambda each: -(_score(each) or 0.0))
    ends = _range(tried)
    metric = metric_name(next((each["metric"] for each in tried if each.get("metric")), "score"))
    chosen = next((each for each in tried if each.get("chosen")), None)
    best = method_name(chosen.get("method")) if chosen else "None"
    reading = (
        f"{best} was kept. The mark is its {metric.lower()} on held-out texts, the pale band where "
        "the true figure may lie. Of ways that cannot be told apart, the cheaper one is kept."
    )
    low, high = percent(ends[0], 0), percent(ends[1], 0)
    scale = el("div", el("span", low), el("span", high), cls="ends", aria_hidden="true")
    listing = el("ol", *(_candidate(each, ends) for each in tried), cls="plain")
    lines = (
        (
            method_name(e.get("method")),
            percent(_score(e), 2),
            span(e.get("interval"), 2),
            duration(e.get("seconds")),
            "yes" if e.get("chosen") else "",
        )
        for e in tried
    )
    numbers = table(("Way", metric, "95 % interval", "Time", "Kept"), lines)
    return figure("What was tried", reading, listing, scale, numbers=numbers, wide=True)


def _candidate(each: dict[str, Any], ends: tuple[float, float]) -> Html:
    """One way as a line with its interval."""
    score = _score(each) or 0.0
    low, high = pair(each.get("interval")) or (score, score)
    badge = el("span", "kept", cls="badge") if each.get("chosen") else None
    took = duration(each.get("seconds"))
    after = "" if took == MISSING else f" · {took}"
    return el(
        "li",
        el(
            "div",
            el("span", method_name(each.get("method")), " ", badge),
            el("span", percent(score), el("span", after, cls="soft")),
            cls="headline",
        ),
        interval_bar(low, score, high, ends),
        cls="row",
    )


def _score(each: dict[str, Any]) -> float | None:
    """The candidate's validation score, plain or under its metric's name."""
    found = each.get("valid")
    return number(found.get(str(each.get("metric"))) if isinstance(found, dict) else found)


def _range(tried: list[dict[str, Any]]) -> tuple[float, float]:
    """Round ends that hold every score and interval."""
    values = [value for each in tried for value in (pair(each.get("interval")) or ())]
    values += [score for each in tried if (score := _score(each)) is not None]
    low, high = min(values), max(values)
    room = max(high - low, 0.02) * 0.08
    return max(0.0, low - room), min(1.0, high + room)


def _learning(evidence: Evidence) -> Html | None:
    """The learning curve."""
    curve = block(evidence, "learning_curve")
    spots = sorted(points(rows(curve, "points"), "rows", "score", "low", "high"))
    if len(spots) < 2:
        return None
    name = metric_name(curve.get("metric") or "score")
    gain = 100 * (spots[-1][1] - spots[-2][1])
    reading = curve.get("sentence") or (
        f"The last {count(spots[-1][0] - spots[-2][0])} texts moved the score by "
        f"{gain:+.1f} points."
    )
    drawn = learning_chart(spots, name.lower(), str(reading))
    lines = ((count(s[0]), percent(s[1], 2), span(s[2:], 2)) for s in spots)
    numbers = table(("Texts", name, "95 % interval"), lines, text_columns=0)
    key = legend(("", "score"), ("area", "where it may truly lie"))
    return figure("Would more labels help?", data(reading), drawn, key, numbers=numbers)


def _training(evidence: Evidence) -> Html | None:
    """The training curve."""
    losses = sorted(points(_history(evidence, "steps"), "step", "loss"))
    if len(losses) < 2:
        return None
    losses = losses[:: max(1, len(losses) // MOST_STEPS)]
    epochs = _history(evidence, "epochs")
    first, last = losses[0][1], losses[-1][1]
    reading = (
        f"The error it learns from fell from {short(first)} to {short(last)} in "
        f"{count(losses[-1][0])} steps{_best_epoch(epochs)}."
    )
    drawn = training_chart(losses, reading)
    listed = losses[:: max(1, len(losses) // MOST_LISTED)]
    steps = table(("Step", "Loss"), ((count(s), decimal(v, 4)) for s, v in listed), text_columns=0)
    return figure("How it learned", reading, drawn, numbers=join([_epochs(epochs), steps]))


def _history(evidence: Evidence, kind: str) -> list[dict[str, Any]]:
    """Steps or epochs, kept under ``progress`` or, as ``progress`` and ``epochs``, side by side."""
    found = rows(block(evidence, "progress"), kind)
    found = found or rows(evidence, "progress" if kind == "steps" else "epochs")
    return [{"valid": _validation(each), **each} for each in found]


def _validation(epoch: dict[str, Any]) -> float | None:
    """The epoch's validation score, whatever the task calls it."""
    return next((number(v) for k, v in epoch.items() if k not in {"epoch", "loss", "lr"}), None)


def _epochs(epochs: list[dict[str, Any]]) -> Html | None:
    """Passes over the training texts, as a table."""
    if not epochs:
        return None
    lines = [[count(each.get("epoch")), decimal(each.get("loss"), 4)] for each in epochs]
    if not points(epochs, "valid"):
        return table(("Pass", "Loss"), lines, text_columns=0)
    scores = [percent(each.get("valid"), 2) for each in epochs]
    joined = [[*line, score] for line, score in zip(lines, scores, strict=True)]
    return table(("Pass", "Loss", "Validation"), joined, text_columns=0)


def _best_epoch(epochs: list[dict[str, Any]]) -> str:
    """After which pass the validation score was best."""
    scores = points(epochs, "epoch", "valid")
    if not scores:
        return ""
    best = max(scores, key=lambda each: each[1])
    return f"; on held-out texts it was best after pass {best[0]:g}, with {percent(best[1])}"
