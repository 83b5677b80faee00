"""What the model learned from: lengths, labels, languages, and what should be looked at."""

from __future__ import annotations

from typing import Any

from takeroot.evaluate.report.html import Child, Html, data, el, fold, named, table
from takeroot.evaluate.report.lengths import lengths
from takeroot.evaluate.report.numbers import block, count, number, percent, rows
from takeroot.evaluate.report.parts import figure, section
from takeroot.evaluate.report.svg import meter

Evidence = dict[str, Any]
OPEN_CLASSES = 10
OPEN_ISSUES = 6
MOST_PLACES = 4  # rows named beside a finding
LEVELS = {"error": ("fix", "badge error"), "warn": ("look", "badge warn")}
ORDER = {"error": 0, "warn": 1}


def texts(evidence: Evidence) -> Html | None:
    """The section."""
    return section(
        "data",
        "What it learned from",
        _accounting(block(evidence, "data")),
        _issues(block(evidence, "data")),
        lengths(block(evidence, "data")),
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
    places = [str(row["source"]) for row in rows(each, "rows") if row.get("source")]
    more = f" … ({len(places)} listed in the evidence)" if len(places) > MOST_PLACES else ""
    where = f"{', '.join(places[:MOST_PLACES])}{more}" if places else None
    said = [el("p", data(words), cls="small soft") for words in (message, where) if words]
    return el("li", line, *said, cls="row")


def _personal(report: dict[str, Any]) -> Html | None:
    """Personal data found, in numbers only."""
    found = {k: v for k, v in block(report, "personal_data").items() if number(v)}
    if not found:
        return None
    listed = ", ".join(f"{kind.replace('_', ' ')} {count(times)}" for kind, times in found.items())
    return el("p", f"Personal data in the texts: {listed}. Consider masking it.", cls="note small")


def _classes(report: dict[str, Any]) -> Html | None:
    """How many texts each label has."""
    found = {k: n for k, v in block(report, "classes").items() if (n := number(v)) is not None}
    if not found:
        return None
    ranked = sorted(found.items(), key=lambda each: (-each[1], each[0]))
    (most, top), (least, bottom) = ranked[0], ranked[-1]
    title, everything = "How many texts each label has", _class_table(ranked, top)
    if top == bottom:
        return figure(title, f"{len(ranked)} labels with {count(top)} texts each: balanced.")
    reading = el(
        "span",
        *(f"{len(ranked)} labels, from ", named(least), f" with {count(bottom)} texts to "),
        *(named(most), f" with {count(top)}."),
    )
    if len(ranked) <= OPEN_CLASSES:
        return figure(title, reading, everything)
    ends = OPEN_CLASSES // 2
    reading = el("span", reading, f" Shown are the {ends} largest and the {ends} smallest.")
    shown = _class_table([*ranked[:ends], *ranked[-ends:]], top)
    return figure(title, reading, shown, fold(f"All {len(ranked)} labels", everything))


def _class_table(ranked: list[tuple[str, float]], most: float) -> Html:
    """Labels with a bar for their texts."""
    lines: list[list[Child]] = [
        [named(label), meter(times / max(most, 1), count(times))] for label, times in ranked
    ]
    return table(("Label", "Texts"), lines)


def _languages(report: dict[str, Any]) -> Html | None:
    """Which scripts the texts are written in."""
    found = {k: n for k, v in block(report, "languages").items() if (n := number(v)) and n > 0}
    if not found:
        return None
    total = sum(found.values())
    ranked = sorted(found.items(), key=lambda each: -each[1])
    reading = f"{percent(ranked[0][1] / total, 0)} of the texts are in {ranked[0][0]} script."
    lines: list[list[Child]] = [
        [data(script), meter(times / total, percent(times / total))] for script, times in ranked
    ]
    body = table(("Script", "Share"), lines) if len(ranked) > 1 else None
    return figure("In which script", reading, body)
