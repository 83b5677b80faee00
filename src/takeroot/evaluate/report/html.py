"""HTML that cannot be written unescaped: every string given to ``el`` becomes text.

Only ``Html`` values pass as markup, and they come from ``el`` itself, so a label or a text of the
user's data can never turn into an element, an attribute or a link.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

VOID = frozenset({"meta", "link", "wbr"})  # those of the elements used here that are never closed


@dataclass(frozen=True, slots=True)
class Html:
    """Finished markup."""

    markup: str


Child = Html | str | int | None
Value = str | float | bool | None


def el(tag: str, /, *children: Child, **attributes: Value) -> Html:
    """An element.

    Args:
        tag: Its name.
        children: Markup, or text to be escaped; None is left out.
        attributes: ``cls`` stands for ``class``, ``_`` for ``-``; None and False are left out,
            True is a bare attribute, numbers are cut to two decimals.
    """
    shown = "".join(_attribute(key, value) for key, value in attributes.items())
    if tag in VOID:
        return Html(f"<{tag}{shown}>")
    return Html(f"<{tag}{shown}>{join(children).markup}</{tag}>")


def join(children: Iterable[Child]) -> Html:
    """The children one after another."""
    return Html("".join(_text(child) for child in children if child is not None))


def data(text: object) -> Html:
    """Text that comes from the user's data, in its own direction of writing."""
    return el("bdi", str(text))


def named(text: object) -> Html:
    """A name from the user's data, such as a label, that may be broken after its joints."""
    parts = [part for part in re.split(r"(?<=[_./-])", str(text)) if part]
    broken = [child for part in parts for child in (part, el("wbr"))][:-1]
    return el("bdi", *broken)


def fold(summary: str, *children: Child) -> Html:
    """Something that opens on a tap."""
    return el("details", el("summary", summary), *children)


def table(heads: Sequence[str], rows: Iterable[Sequence[Child]], *, text_columns: int = 1) -> Html:
    """A table that scrolls sideways by itself on a narrow screen.

    Args:
        heads: Column titles.
        rows: Cells; all but the first ``text_columns`` are figures and aligned right.
        text_columns: How many columns hold words.
    """
    classes = ["" if place < text_columns else "n" for place in range(len(heads))]
    head = el(
        "tr",
        *(
            el("th", title, cls=cls or None, scope="col")
            for title, cls in zip(heads, classes, strict=True)
        ),
    )
    body = (
        el("tr", *(el("td", cell, cls=cls or None) for cell, cls in zip(row, classes, strict=True)))
        for row in rows
    )
    many = "many" if len(heads) > 3 else None
    whole = el("table", el("thead", head), el("tbody", *body), cls=many)
    return el("div", whole, cls="scroll", tabindex="0")


def clean(text: str) -> str:
    """The text without what no page can hold: control characters and lone surrogates."""
    kept = "".join(each if each >= " " or each in "\n\t" else "\ufffd" for each in text)
    return kept.encode("utf-8", "replace").decode("utf-8")


def _text(child: Html | str | int) -> str:
    """The child as markup."""
    return child.markup if isinstance(child, Html) else html.escape(clean(str(child)))


def _attribute(key: str, value: Value) -> str:
    """One attribute with a leading blank, or nothing."""
    if value is None or value is False:
        return ""
    name = "class" if key == "cls" else key.replace("_", "-")
    if value is True:
        return f" {name}"
    shown = f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
    return f' {name}="{html.escape(clean(shown))}"'
