"""The page around the sections: one file that asks the network for nothing.

No script, no font, no image from elsewhere; a content security policy forbids them all, and allows
the one style sheet by its hash.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from typing import Any

from takeroot.evaluate.report.against import against
from takeroot.evaluate.report.choice import choice
from takeroot.evaluate.report.html import Html, clean, data, el
from takeroot.evaluate.report.numbers import block
from takeroot.evaluate.report.overview import overview
from takeroot.evaluate.report.quality import quality
from takeroot.evaluate.report.repeat import repeat
from takeroot.evaluate.report.served import served
from takeroot.evaluate.report.style import CSS
from takeroot.evaluate.report.texts import texts
from takeroot.evaluate.report.trust import trust
from takeroot.evaluate.report.written import written

SECTIONS: dict[str, Callable[[dict[str, Any]], Html | None]] = {
    "Quality": quality,
    "Texts": written,
    "Comparison": against,
    "Trust": trust,
    "Choice": choice,
    "Data": texts,
    "Served": served,
    "Repeat": repeat,
}


def render_report(evidence: dict[str, Any]) -> str:
    """The report as one HTML document.

    Args:
        evidence: JSON objects by name, each of which may be missing: metrics, fit, candidates,
            learning_curve, calibration, abstention, parity, answers, data, recipe, environment,
            progress, epochs.
    """
    shown = {name: found for name, each in SECTIONS.items() if (found := each(evidence))}
    links = [el("li", el("a", name, href=f"#{name.lower()}")) for name in shown]
    sections = el("nav", el("ul", *links), aria_label="Sections") if links else None
    name = block(evidence, "fit").get("name")
    title = f"{clean(str(name))} · takeroot report" if name else "takeroot report"
    return document(title, _when(evidence), overview(evidence), sections, *shown.values())


def document(title: str, when: Html | None, *main: Html | None) -> str:
    """One HTML document in the house's style around what it is about.

    Args:
        title: Of the window.
        when: What stands at the upper edge, such as the day.
        main: The parts, from top to bottom.
    """
    body = el(
        "body",
        el(
            "div",
            el("header", el("span", "takeroot 落地生根", cls="mark"), when, cls="top"),
            el("main", *main),
            el(
                "footer",
                "Made by takeroot. This page is one file: it loads nothing from anywhere, "
                "and may be mailed, printed and kept.",
            ),
            cls="page",
        ),
    )
    page = el("html", _head(title), body, lang="en")
    return f"<!doctype html>\n{page.markup}\n"


def _head(title: str) -> Html:
    """Title, policy and style."""
    digest = base64.b64encode(hashlib.sha256(CSS.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    return el(
        "head",
        el("meta", charset="utf-8"),
        Html(f'<meta http-equiv="Content-Security-Policy" content="{policy}">'),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="color-scheme", content="light dark"),
        el("meta", name="referrer", content="no-referrer"),
        el("link", rel="icon", href="data:,"),
        el("title", title),
        Html(f"<style>{CSS}</style>"),
    )


def _when(evidence: dict[str, Any]) -> Html | None:
    """When it was made, and with which version."""
    environment = block(evidence, "environment")
    packages = block(environment, "packages")
    day = str(environment.get("created") or "")[:10]
    version = environment.get("takeroot") or packages.get("takeroot")
    parts = [day] if day else []
    parts += [f"takeroot {version}"] if version else []
    return el("span", data(" · ".join(parts))) if parts else None
