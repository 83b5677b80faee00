"""Drawing on a 400-unit-wide sheet: scales, axes and the few marks that charts are made of.

Sheets are drawn for a phone's width and grow with the page, so that writing stays readable on
both. Nothing here knows what a chart is about.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from takeroot.evaluate.report.html import Child, Html, el

WIDTH, HEIGHT = 400.0, 250.0
LEFT, RIGHT, TOP, BOTTOM = 46.0, 12.0, 28.0, 42.0
Format = Callable[[float], str]
Spot = tuple[float, ...]


@dataclass(frozen=True)
class Axis:
    """One direction of a chart.

    Args:
        low: Value at its start.
        high: Value at its end, above ``low``.
        title: What it counts.
        show: How a value is written.
        ticks: Values that are written.
    """

    low: float
    high: float
    title: str
    show: Format
    ticks: tuple[float, ...]


@dataclass(frozen=True)
class Sheet:
    """Two axes, and where values fall on paper."""

    across: Axis
    up: Axis

    def x(self, value: float) -> float:
        """Distance of the value from the left edge."""
        share = (value - self.across.low) / (self.across.high - self.across.low)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        """Distance of the value from the upper edge."""
        share = (value - self.up.low) / (self.up.high - self.up.low)
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)


def axis(low: float, high: float, title: str, show: Format, *, about: int = 5) -> Axis:
    """An axis over at least ``low`` to ``high``, begun and ended on round numbers."""
    step = _step((high - low) / about if high > low else 1.0)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    last = max(last, first + 1)
    ticks = tuple(round(index * step, 12) for index in range(first, last + 1))
    return Axis(ticks[0], ticks[-1], title, show, ticks)


def drawing(sheet: Sheet, label: str, *marks: Html | None) -> Html:
    """The chart with its axes.

    Args:
        sheet: Its axes.
        label: What it shows, for people who cannot see it.
        marks: What is drawn, from back to front.
    """
    frame = el(
        "svg",
        *_axes(sheet),
        *marks,
        cls="plot",
        viewBox=f"0 0 {WIDTH:g} {HEIGHT:g}",
        role="img",
        aria_label=label,
    )
    return frame


def line(sheet: Sheet, spots: Sequence[Spot], cls: str = "line") -> Html:
    """A line through the spots."""
    steps = " L".join(f"{sheet.x(x):.1f} {sheet.y(y):.1f}" for x, y in spots)
    return el("path", d=f"M{steps}", cls=cls)


def band(sheet: Sheet, spots: Sequence[Spot]) -> Html:
    """The area between the lower and upper value of spots (x, low, high)."""
    there = [f"{sheet.x(x):.1f},{sheet.y(high):.1f}" for x, _, high in spots]
    back = [f"{sheet.x(x):.1f},{sheet.y(low):.1f}" for x, low, _ in reversed(spots)]
    return el("polygon", points=" ".join(there + back), cls="band")


def dot(sheet: Sheet, x: float, y: float, radius: float, tip: str) -> Html:
    """A spot that tells its value when pointed at."""
    spot = {"cx": sheet.x(x), "cy": sheet.y(y), "r": radius}
    return el("circle", el("title", tip), **spot, cls="dot")


def column(sheet: Sheet, left: float, right: float, height: float, tip: str) -> Html:
    """An upright bar that tells its value when pointed at."""
    start, end = sheet.x(left) + 0.75, sheet.x(right) - 0.75
    top = sheet.y(height)
    return el(
        "g",
        el("title", tip),
        el(
            "rect",
            x=start,
            y=top,
            width=max(end - start, 0.5),
            height=sheet.y(0.0) - top,
            rx=1.5,
            cls="bar",
        ),
    )


def meter(share: float, value: str) -> Html:
    """A small lying bar, 0 to 1 filled, and its value behind it."""
    kept = min(max(share, 0.0), 1.0)
    bar = el(
        "svg",
        el("rect", x=0, y=0, width=100, height=8, rx=2, cls="track"),
        el("rect", x=0, y=0, width=100 * kept, height=8, rx=2, cls="bar"),
        viewBox="0 0 100 8",
        preserveAspectRatio="none",
        aria_hidden="true",
    )
    return el("span", bar, el("span", value, cls="value"))


def _axes(sheet: Sheet) -> list[Child]:
    """Lines and writing around the chart."""
    marks: list[Child] = [el("text", sheet.up.title, x=0, y=11)]
    for value in sheet.up.ticks:
        y = sheet.y(value)
        marks.append(el("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y, cls="gridline"))
        marks.append(el("text", sheet.up.show(value), x=LEFT - 6, y=y + 4, text_anchor="end"))
    foot = HEIGHT - BOTTOM
    marks.append(el("line", x1=LEFT, x2=WIDTH - RIGHT, y1=foot, y2=foot, cls="axis"))
    for value in sheet.across.ticks:
        shown = sheet.across.show(value)
        marks.append(el("text", shown, x=sheet.x(value), y=foot + 16, text_anchor="middle"))
    middle = (LEFT + WIDTH - RIGHT) / 2
    marks.append(el("text", sheet.across.title, x=middle, y=HEIGHT - 6, text_anchor="middle"))
    return marks


def _step(rough: float) -> float:
    """The round number, 1, 2, 2.5 or 5 times a power of ten, next above."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * 0.999)
