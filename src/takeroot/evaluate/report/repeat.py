"""How to make the same model again: recipe and environment, as they were."""

from __future__ import annotations

import json
from typing import Any

from takeroot.evaluate.report.html import Html, data, el, fold
from takeroot.evaluate.report.parts import section

Evidence = dict[str, Any]


def repeat(evidence: Evidence) -> Html | None:
    """The section."""
    return section(
        "repeat",
        "How to repeat it",
        "The same recipe, data, seed and machine give the same bundle.",
        _dump("Recipe", "Every setting of this run.", evidence.get("recipe")),
        _dump("Environment", "Machine and versions.", evidence.get("environment")),
    )


def _dump(title: str, says: str, body: Any) -> Html | None:
    """JSON as it stands, folded."""
    if not body:
        return None
    shown = body if isinstance(body, str) else json.dumps(body, indent=2, ensure_ascii=False)
    return el(
        "div",
        el("h3", title),
        el("p", says, cls="soft"),
        fold("Show", el("pre", data(shown))),
        cls="card",
    )
