"""What the model learned from: lengths, labels, languages, and what should be looked at."""

from __future__ import annotations

from typing import Any

from takeroot.evaluate.report.charts import histogram_chart
from takeroot.evaluate.report.html import Child, Html, data, el, fold, table
from takeroot.evaluate.report.numbers import block, count, number, percent, points, rows
from takeroot.evaluate.report.parts import figure, section
from takeroot.evaluate.report.svg import meter

Evidence = dict[str, Any]
OPEN_CLASSES = 10
OPEN_ISSUES = 6
LEVELS = {"error": ("fix", "badge error"), "warn": ("look", "badge warn")}
ORDER = {"error": 0, "warn": 1}


def texts(evidence: Evidence) -> Html | None:
    """The section."""
    return section(
        "data",
        "What it learned from",
        _accounting(block(evidence, "data")),
        _issues(block(evidence, "data")),
        _lengths(block(evidence, "data")),
        _classes(block(evidence, "data")),
        _languages(block(evidence, "data")),
    )


def _accounting(report: dict[str, Any]) -> str:
    """Every row accounted for, in a sentence."""
    if number(report.get("rows_in")) is None:
        return "A model is as good as its examples."
    rejected = count(report.get("rejected") or 0)
    return (
        f"{count(report['rows_in'])} rows were read: {count(report.get('kept'))} kept, "
        f"{rejected} rejected, each with its reason."
    )


def _issues(report: dict[str, Any]) -> Html | None:
    """What the check of the data found."""
    if "issues" not in report:
        return None
    found = sorted(rows(report, "issues"), key=lambda each: ORDER.get(str(each.get("level")), 2))
    pressing = sum(str(each.get("level")) in LEVELS for each in found)
    if not found:
        reading = "Nothing was found that needs looking at."
    elif pressing == 0:
        reading = "Nothing pressing; some facts worth knowing."
    else:
        things = "thing is" if pressing == 1 else "things are"
        reading = f"{pressing} {things} worth a look; mending them is often the cheapest gain."
    items = [_issue(each) for each in found]
    rest = items[OPEN_ISSUES:]
    more = fold(f"{len(rest)} more", el("ul", *rest, cls="plain")) if rest else None
    shown = el("ul", *items[:OPEN_ISSUES], cls="plain") if items else None
    return figure("What to look at", reading, shown, more, _personal(report))


def _issue(each: dict[str, Any]) -> Html:
    """One finding."""
    word, cls = LEVELS.get(str(each.get("level")), ("know", "badge"))
    kind = str(each.get("kind", "")).replace("_", " ")
    line = el(
        "div",
        el("span", el("span", word, cls=cls), " ", kind),
        el("span", count(each.get("count"))),
        cls="headline",
    )
    message = each.get("message")
    return el("li", line, el("p", data(message), cls="small soft") if message else None, cls="row")


def _personal(report: dict[str, Any]) -> Html | None:
    """Personal data found, in numbers only."""
    found = {k: v for k, v in block(report, "personal_data").items() if number(v)}
    if not found:
        return None
    listed = ", ".join(f"{kind.replace('_', ' ')} {count(times)}" for kind, times in found.items())
    return el("p", f"Personal data in the texts: {listed}. Consider masking it.", cls="note small")


def _lengths(report: dict[str, Any]) -> Html | None:
    """The histogram of lengths."""
    length = block(report, "length")
    bins = histogram(length.get("histogram"))
    if not bins:
        return None
    unit = str(length.get("unit") or "tokens")
    reading = _length_sentence(length, bins, unit)
    drawn = histogram_chart(bins, number(length.get("limit")), unit, reading)
    lines = ((f"{low:g} – {high:g}", count(times)) for low, high, times in bins)
    numbers = table((unit.capitalize(), "Texts"), lines)
    return figure("How long texts are", reading, drawn, numbers=numbers)


def histogram(found: Any) -> list[tuple[float, ...]]:
    """Bins (from, to, texts), given as objects with low, high and count, or as edges and counts."""
    if isinstance(found, list):
        items = [each for each in found if isinstance(each, dict)]
        return points(items, "low", "high", "count")
    edges, counts = block(found).get("edges"), block(found).get("counts")
    if not isinstance(edges, list) or not isinstance(counts, list):
        return []
    items = [
        {"low": low, "high": high, "count": times}
        for low, high, times in zip(edges, edges[1:], counts, strict=False)
    ]
    return points(items, "low", "high", "count")


def _length_sentence(length: dict[str, Any], bins: list[tuple[float, ...]], unit: str) -> str:
    """The middle length, and how much is cut."""
    median = number(length.get("median"))
    middle = _middle(bins) if median is None else median
    said = f"Half of the texts have at most {middle:g} {unit}"
    cut = number(length.get("truncated_share"))
    if cut is None:
        return f"{said}."
    if cut == 0:
        return f"{said}; none is too long for the model."
    return f"{said}; {percent(cut)} are longer than the model reads, and are cut."


def _middle(bins: list[tuple[float, ...]]) -> float:
    """Upper end of the bin that holds the middle text."""
    half, seen = sum(times for *_, times in bins) / 2, 0.0
    for _, high, times in bins:
        seen += times
        if seen >= half:
            return high
    return bins[-1][1]


def _classes(report: dict[str, Any]) -> Html | None:
    """How many texts each label has."""
    found = {k: n for k, v in block(report, "classes").items() if (n := number(v)) is not None}
    if not found:
        return None
    ranked = sorted(found.items(), key=lambda each: (-each[1], each[0]))
    (most, top), (least, bottom) = ranked[0], ranked[-1]
    reading = el(
        "span",
        f"{len(ranked)} labels, from ",
        data(least),
        f" with {count(bottom)} texts to ",
        data(most),
        f" with {count(top)}.",
    )
    if top == bottom:
        reading = el("span", f"Balanced: {len(ranked)} labels with {count(top)} texts each.")
    shown = ranked if len(ranked) <= OPEN_CLASSES else [*ranked[:5], *ranked[-5:]]
    more = None
    if len(ranked) > len(shown):
        reading = el("span", reading, " Shown are the five largest and the five smallest.")
        more = fold(f"All {len(ranked)} labels", _class_table(ranked, top))
    return figure("How many texts each label has", reading, _class_table(shown, top), more)


def _class_table(ranked: list[tuple[str, float]], most: float) -> Html:
    """Labels with a bar for their texts."""
    lines: list[list[Child]] = [
        [data(name), meter(times / max(most, 1), count(times))] for name, times in ranked
    ]
    return table(("Label", "Texts"), lines)


def _languages(report: dict[str, Any]) -> Html | None:
    """Which scripts or languages the texts are in."""
    found = {k: n for k, v in block(report, "languages").items() if (n := number(v))}
    if not found:
        return None
    total = sum(found.values())
    ranked = sorted(found.items(), key=lambda each: -each[1])
    reading = f"{percent(ranked[0][1] / total, 0)} of the texts are {ranked[0][0]}."
    lines: list[list[Child]] = [
        [data(name), meter(times / total, percent(times / total))] for name, times in ranked
    ]
    return figure("Languages", reading, table(("Language", "Share"), lines))
