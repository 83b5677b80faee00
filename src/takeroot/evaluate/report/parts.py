"""Pieces that every section is put together from."""

from __future__ import annotations

from takeroot.evaluate.report.html import Child, Html, el, fold
from takeroot.evaluate.report.numbers import MISSING


def section(anchor: str, title: str, lead: str, *cards: Html | None) -> Html | None:
    """A section of the page, or nothing where no card has anything to show."""
    shown = [card for card in cards if card is not None]
    if not shown:
        return None
    return el(
        "section",
        el("h2", title, id=f"{anchor}-title"),
        el("p", lead, cls="lead"),
        el("div", *shown, cls="grid"),
        id=anchor,
        aria_labelledby=f"{anchor}-title",
    )


def figure(
    title: str, reading: Child, *body: Child, numbers: Html | None = None, wide: bool = False
) -> Html:
    """A chart with its sentence above and its numbers as a table below.

    Args:
        title: Of the chart.
        reading: What it shows, in one sentence for anyone.
        body: The drawing, and a legend where it needs one.
        numbers: The table.
        wide: Whether it takes the page's whole width.
    """
    below = None if numbers is None else fold("The numbers", numbers)
    cls = "card wide" if wide else "card"
    return el("figure", el("h3", title), el("p", reading, cls="reading"), *body, below, cls=cls)


def tile(value: str, name: str) -> Html | None:
    """A figure in a box, or nothing where it is not known."""
    return None if value == MISSING else el("div", el("b", value), el("span", name), cls="tile")


def legend(*entries: tuple[str, str]) -> Html:
    """What lines mean: (class of the mark, words) each."""
    marks = (
        el("span", el("i", cls=cls or None, aria_hidden="true"), words) for cls, words in entries
    )
    return el("p", *marks, cls="legend")
