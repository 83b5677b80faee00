"""The report's charts: from numbers to a drawing, each with the sentence that says what it shows.

A chart takes plain numbers; where they come from is the sections' business.
"""

from __future__ import annotations

from collections.abc import Sequence

from takeroot.evaluate.report import svg
from takeroot.evaluate.report.html import Html, el
from takeroot.evaluate.report.numbers import count, percent, short

Spot = tuple[float, ...]


def whole_percent(share: float) -> str:
    """A share on an axis."""
    return f"{100 * share:.3g} %"


def reliability_chart(bins: Sequence[Spot], label: str) -> Html:
    """Confidence against truth.

    Args:
        bins: (mean confidence, share that is right, rows) of each bin.
        label: What it shows, for people who cannot see it.
    """
    sheet = svg.Sheet(
        svg.axis(0, 1, "how sure the model says it is", whole_percent),
        svg.axis(0, 1, "how often it is right", whole_percent),
    )
    most = max(rows for _, _, rows in bins)
    ranges = [
        svg.line(sheet, [(sure, end) for end in wilson(right, rows)], "reach")
        for sure, right, rows in bins
    ]
    dots = [
        svg.dot(
            sheet,
            sure,
            right,
            3.5 + 6.5 * (rows / most) ** 0.5,
            f"says {percent(sure)}, is right {percent(right)}, {count(rows)} decisions",
        )
        for sure, right, rows in bins
    ]
    ideal = svg.line(sheet, [(0, 0), (1, 1)], "ideal")
    return svg.drawing(sheet, label, ideal, *ranges, *dots)


def wilson(share: float, rows: float) -> tuple[float, float]:
    """The 95 % interval of a share seen in so many rows (Wilson 1927)."""
    z, share = 1.96, min(max(share, 0.0), 1.0)
    middle = (share + z * z / (2 * rows)) / (1 + z * z / rows)
    reach = z * (share * (1 - share) / rows + (z / (2 * rows)) ** 2) ** 0.5 / (1 + z * z / rows)
    return max(0.0, middle - reach), min(1.0, middle + reach)


def risk_coverage_chart(spots: Sequence[Spot], chosen: Spot | None, label: str) -> Html:
    """Share of texts answered against share of wrong answers among them.

    Args:
        spots: (coverage, risk), rising in coverage.
        chosen: Where the model's own abstention puts it, or None.
        label: What it shows.
    """
    worst = max(risk for _, risk in spots)
    sheet = svg.Sheet(
        svg.axis(0, 1, "share of texts it answers, surest first", whole_percent),
        svg.axis(0, max(worst, 0.004), "wrong among the answered", whole_percent, about=4),
    )
    area = svg.band(sheet, [(x, 0, y) for x, y in spots])
    marks = [area, svg.line(sheet, spots)]
    if chosen is not None:
        tip = f"as set: answers {percent(chosen[0])}, {percent(chosen[1])} of those wrong"
        height = min(chosen[1], sheet.up.high)
        marks.append(svg.dot(sheet, chosen[0], height, 6, tip))
    return svg.drawing(sheet, label, *marks)


def learning_chart(spots: Sequence[Spot], title: str, label: str) -> Html:
    """Score against labelled rows, with its interval.

    Args:
        spots: (rows, score, low, high), rising in rows.
        title: The score's name.
        label: What it shows.
    """
    low, high = min(each[2] for each in spots), max(each[3] for each in spots)
    sheet = svg.Sheet(
        svg.axis(0, max(each[0] for each in spots), "labelled texts to learn from", short),
        svg.axis(low, max(high, low + 0.01), title, whole_percent, about=4),
    )
    dots = [
        svg.dot(sheet, rows, score, 4, f"{count(rows)} texts: {percent(score)}")
        for rows, score, _, _ in spots
    ]
    area = svg.band(sheet, [(rows, low, high) for rows, _, low, high in spots])
    return svg.drawing(sheet, label, area, svg.line(sheet, [s[:2] for s in spots]), *dots)


def histogram_chart(bins: Sequence[Spot], unit: str, label: str) -> Html:
    """How many texts have which length.

    Args:
        bins: (first length, last length, texts) of each bar, rising.
        unit: What lengths are counted in.
        label: What it shows.
    """
    sheet = svg.Sheet(
        svg.axis(min(bins[0][0], 0.0), bins[-1][1] + 1, f"{unit} in a text", short),
        svg.axis(0, max(1.0, *(rows for *_, rows in bins)), "texts", short, about=4),
    )
    bars = [
        svg.column(sheet, low, high + 1, rows, f"{low:g} to {high:g} {unit}: {count(rows)} texts")
        for low, high, rows in bins
    ]
    return svg.drawing(sheet, label, *bars)


def training_chart(losses: Sequence[Spot], label: str) -> Html:
    """Loss by step, smoothed, over the loss as it came.

    Args:
        losses: (step, loss), rising in step.
        label: What it shows.
    """
    values = [loss for _, loss in losses]
    floor = 0.0 if min(values) < 0.5 * max(values) else min(values)  # smoothed labels never reach 0
    sheet = svg.Sheet(
        svg.axis(0, losses[-1][0], "training step", short),
        svg.axis(floor, max(values), "loss (lower is better)", short, about=4),
    )
    came = svg.line(sheet, losses, "line faint") if len(losses) > 8 else None
    return svg.drawing(sheet, label, came, svg.line(sheet, smoothed(losses)))


def smoothed(spots: Sequence[Spot]) -> list[Spot]:
    """The spots with values averaged over their neighbours, a twentieth on each side."""
    reach = len(spots) // 20
    found: list[Spot] = []
    for place, (x, _) in enumerate(spots):
        near = spots[max(0, place - reach) : place + reach + 1]
        found.append((x, sum(value for _, value in near) / len(near)))
    return found


def interval_bar(
    low: float, score: float, high: float, ends: tuple[float, float], base: float | None = None
) -> Html:
    """A score with its interval, and a baseline, on a line from ``ends[0]`` to ``ends[1]``."""
    first, last = ends

    def place(value: float) -> float:
        return 100 * min(max((value - first) / (last - first), 0.0), 1.0)

    width = max(place(high) - place(low), 0.8)
    return el(
        "svg",
        el("rect", x=0, y=6, width=100, height=2, cls="track"),
        el("rect", x=place(low), y=2, width=width, height=10, rx=1, cls="whisker"),
        None
        if base is None
        else el("rect", x=place(base) - 0.25, y=0, width=0.5, height=14, cls="base"),
        el("rect", x=place(score) - 0.25, y=0, width=0.5, height=14, cls="tick"),
        viewBox="0 0 100 14",
        preserveAspectRatio="none",
        aria_hidden="true",
    )
