"""How good the model is: all scores, its labels from the weakest on, and what it mixes up."""

from __future__ import annotations

from typing import Any

from takeroot.evaluate.report.html import Child, Html, data, el, fold, named, table
from takeroot.evaluate.report.numbers import JOINED, block, count, number, pair, percent, rows, span
from takeroot.evaluate.report.overview import main_metric, shown_rows
from takeroot.evaluate.report.parts import figure, section
from takeroot.evaluate.report.svg import meter
from takeroot.evaluate.report.words import METRICS

Evidence = dict[str, Any]
OPEN_LABELS = 8
OPEN_SCORES = 6
OPEN_CONFUSIONS = 5


def quality(evidence: Evidence) -> Html | None:
    """The section."""
    evaluation, kept = shown_rows(evidence)
    return section(
        "quality",
        "How good it is",
        f"Everything here was measured on {kept} texts, which took no part in training.",
        _scores(evidence),
        _confusions(evaluation),
        _labels(evaluation),
    )


def _scores(evidence: Evidence) -> Html | None:
    """Every score with its meaning; the validation rows beside the test rows."""
    evaluation, kept = shown_rows(evidence)
    other = block(evidence, "metrics", "valid") if kept == "test" else {}
    names = [name for name in METRICS if number(evaluation.get(name)) is not None]
    if not names:
        return None
    first = main_metric(evaluation)
    names.sort(key=lambda name: name != first)
    if "accuracy" in names and "micro_f1" in names:
        names.remove("micro_f1")  # with one label a text they are the same figure
    lines = [_score(name, evaluation, other) for name in names]
    reading = (
        "Several views of the same answers. The interval says how far a figure could have come "
        "out otherwise with other texts of the same kind."
    )
    rest = lines[OPEN_SCORES:]
    more = fold(f"{len(rest)} more scores", el("ul", *rest, cls="plain")) if rest else None
    return figure("The scores", reading, el("ul", *lines[:OPEN_SCORES], cls="plain"), more)


def _score(name: str, evaluation: dict[str, Any], other: dict[str, Any]) -> Html:
    """A score with what it means, its interval, and what it was on the validation rows."""
    title, meaning = METRICS[name]
    ends = block(evaluation, "intervals").get(name)
    facts = [meaning]
    facts += [f"95{JOINED}%{JOINED}interval{JOINED}{span(ends)}"] if pair(ends) else []
    facts += [f"validation {percent(other[name])}"] if number(other.get(name)) is not None else []
    return el(
        "li",
        el("div", el("span", title), el("span", percent(evaluation[name])), cls="headline"),
        el("div", " · ".join(facts), cls="small soft"),
        cls="row",
    )


def _confusions(evaluation: dict[str, Any]) -> Html | None:
    """What it takes for what, with the texts."""
    found = rows(evaluation, "confusions")
    if not found:
        return None
    reading = el(
        "span",
        *("Most often ", *_said(found[0]), f": {_times(found[0])}. Texts that a person would "),
        "also mix up point to labels worth merging or describing better.",
    )
    items = [_confusion(each) for each in found]
    rest = items[OPEN_CONFUSIONS:]
    more = fold(f"{len(rest)} more", el("ol", *rest, cls="plain")) if rest else None
    return figure(
        "What it mixes up", reading, el("ol", *items[:OPEN_CONFUSIONS], cls="plain"), more
    )


def _confusion(each: dict[str, Any]) -> Html:
    """One way of being wrong."""
    texts = each.get("texts")
    quotes = [el("blockquote", data(text)) for text in texts] if isinstance(texts, list) else []
    pair = el(
        "span",
        named(_label(each.get("gold"))),
        el("span", " → ", cls="arrow"),
        named(_label(each.get("predicted"))),
    )
    line = el("div", pair, el("span", f"{count(each.get('count'))} ×"), cls="headline")
    return el("li", line, *quotes, cls="row")


def _label(name: Any) -> str:
    """The label, or what its absence means."""
    return "nothing" if name is None else str(name)


def _said(each: dict[str, Any]) -> tuple[Child, ...]:
    """What was taken for what, in words."""
    gold, predicted = each.get("gold"), each.get("predicted")
    if predicted is None:
        return named(_label(gold)), " is missed"
    if gold is None:
        return named(predicted), " is given where it does not belong"
    return named(gold), " is taken for ", named(predicted)


def _times(each: dict[str, Any]) -> str:
    """How often, in words."""
    times = count(each.get("count"))
    return "once" if times == "1" else f"{times} times"


def _labels(evaluation: dict[str, Any]) -> Html | None:
    """Every label, weakest first."""
    known = [each for each in rows(evaluation, "per_class") if number(each.get("f1")) is not None]
    seen = [each for each in known if number(each.get("support"))]
    if not seen:
        return None
    seen.sort(key=lambda each: (each["f1"], str(each.get("label"))))
    worst = seen[0]
    reading = el(
        "span",
        "The weakest label is ",
        named(worst.get("label")),
        f": of its {count(worst.get('support'))} it finds {percent(worst.get('recall'), 0)}, and "
        f"of what it calls so {percent(worst.get('precision'), 0)} is right.{_strong(seen)}",
    )
    unseen = len(known) - len(seen)
    missing = f"{unseen} labels do not occur in these texts." if unseen else None
    rest = seen[OPEN_LABELS:]
    more = fold(f"The other {len(rest)} labels", _label_table(rest)) if rest else None
    note = el("p", missing, cls="small soft") if missing else None
    title = "Label by label, weakest first"
    return figure(title, reading, _label_table(seen[:OPEN_LABELS]), more, note, wide=True)


def _strong(seen: list[dict[str, Any]]) -> str:
    """How many labels need no care."""
    good = sum(each["f1"] >= 0.9 for each in seen)
    return f" {good} of {len(seen)} labels reach an F1 of 90 % or more." if good else ""


def _label_table(listed: list[dict[str, Any]]) -> Html:
    """Labels with a bar for F1."""
    lines: list[list[Child]] = [
        [
            named(each.get("label")),
            meter(each["f1"], percent(each["f1"], 0)),
            percent(each.get("precision"), 0),
            percent(each.get("recall"), 0),
            count(each.get("support")),
        ]
        for each in listed
    ]
    return table(("Label", "F1", "Precision", "Recall", "Texts"), lines)
