"""Two bundles on the same rows: which is better, and whether it could be luck."""

from __future__ import annotations

from typing import Any

from takeroot.evaluate.report.html import Child, Html, data, el, fold, table
from takeroot.evaluate.report.numbers import MISSING, block, count, decimal, number, percent, rows
from takeroot.evaluate.report.overview import shown_rows
from takeroot.evaluate.report.parts import figure, section
from takeroot.evaluate.report.words import METRICS, metric_name

Evidence = dict[str, Any]


def against(evidence: Evidence) -> Html | None:
    """The section; only evaluations against a second bundle have it."""
    evaluation, _ = shown_rows(evidence)
    found = block(evaluation, "against")
    return section(
        "comparison",
        "Against another bundle",
        "This bundle is the first, the other the second; both answered the same rows, and each "
        "difference is second minus first.",
        _differences(found),
        _changed(found),
    )


def _differences(found: dict[str, Any]) -> Html | None:
    """The verdict, and every difference with its interval."""
    gaps = block(found, "differences")
    names = [name for name in METRICS if name in gaps and isinstance(gaps[name], dict)]
    if not names:
        return None
    lines: list[list[Child]] = [
        [
            metric_name(name),
            percent(block(found, "first").get(name)),
            percent(block(found, "second").get(name)),
            _gap(gaps[name]),
        ]
        for name in names
    ]
    reading = data(found.get("verdict") or "How far the two lie apart.")
    body = table(("Score", "First", "Second", "Points apart"), lines)
    return figure("Which is better?", reading, body)


def _gap(gap: dict[str, Any]) -> Html:
    """A difference in points with its interval below."""
    mean, low, high = (number(gap.get(key)) for key in ("mean", "low", "high"))
    shown = MISSING if mean is None else f"{100 * mean:+.2f}"
    around = None if low is None or high is None else f"{100 * low:+.2f} to {100 * high:+.2f}"
    return el("div", shown, el("div", around, cls="soft") if around else None)


def _changed(found: dict[str, Any]) -> Html | None:
    """Rows that just one of the two has right."""
    first, second = found.get("only_first"), found.get("only_second")
    if number(first) is None or number(second) is None:
        return None
    reading = (
        f"{count(first)} rows are right only in the first, {count(second)} only in the second; "
        f"McNemar's exact test gives p {_p_value(found.get('p_value'))}."
    )
    changed = rows(found, "changed")
    folds = [
        fold(f"Some that just the {which} has right", *_quotes(changed, which))
        for which in ("first", "second")
        if any(each.get("better") == which for each in changed)
    ]
    return figure("Where they differ", reading, *folds)


def _p_value(value: Any) -> str:
    """The p-value with its sign."""
    found = number(value)
    return "< 0.001" if found is not None and found < 0.001 else f"= {decimal(found, 3)}"


def _quotes(changed: list[dict[str, Any]], which: str) -> list[Html]:
    """The texts that this one has right."""
    texts = (each.get("text") for each in changed if each.get("better") == which)
    return [el("blockquote", data(text)) for text in texts]
