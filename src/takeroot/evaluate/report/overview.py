"""The top of the page: what the model is, and how good it is, in one figure and one sentence."""

from __future__ import annotations

from typing import Any

from takeroot.evaluate.report.charts import interval_bar
from takeroot.evaluate.report.html import Html, data, el
from takeroot.evaluate.report.numbers import (
    block,
    count,
    decimal,
    duration,
    megabytes,
    number,
    pair,
    percent,
)
from takeroot.evaluate.report.parts import tile
from takeroot.evaluate.report.words import KINDS, method_name, metric_name

Evidence = dict[str, Any]
KIND = (
    "These texts also helped to choose the model, so the figure is a little kind; "
    "a test file of its own gives an honest one."
)


def overview(evidence: Evidence) -> Html:
    """The title, the main score and the figures people ask for first."""
    fit = block(evidence, "fit")
    name = fit.get("name") or "A takeroot model"
    kind = KINDS.get(str(fit.get("task")), "")
    made = f"{method_name(fit['method'])}, on {fit['model']}" if fit.get("model") else ""
    made = made or (method_name(fit["method"]) if fit.get("method") else "")
    said = ". ".join(part[0].upper() + part[1:] for part in (kind, made) if part)
    return el(
        "div",
        el("h1", data(name)),
        el("p", f"{said}." if said else None, cls="soft"),
        _hero(evidence),
        _tiles(evidence),
        *_notes(fit),
    )


def shown_rows(evidence: Evidence) -> tuple[dict[str, Any], str]:
    """The evaluation that the page speaks of, and what its rows are called."""
    test = block(evidence, "metrics", "test")
    if test:
        return test, "test"
    return block(evidence, "metrics", "valid"), "validation"


def main_metric(evaluation: dict[str, Any]) -> str:
    """Name of the score that sums the evaluation up."""
    known = ("accuracy", "entity_f1", "macro_f1")
    return str(evaluation.get("metric") or next((n for n in known if n in evaluation), "accuracy"))


def _hero(evidence: Evidence) -> Html | None:
    """The main score, large."""
    evaluation, rows = shown_rows(evidence)
    metric = main_metric(evaluation)
    score = number(evaluation.get(metric))
    if score is None:
        return None
    ends = pair(block(evaluation, "intervals").get(metric))
    low, high = ends or (score, score)
    reach = f"{percent(low)} to {percent(high)}"
    sure = f"Other texts of the same kind would give {reach} (95 % interval)."
    base = number(evaluation.get("majority_accuracy")) if metric == "accuracy" else None
    return el(
        "div",
        el("p", f"{100 * score:.1f}", el("span", " %", cls="unit"), cls="big"),
        el("p", _sentence(metric, score, evaluation, rows), cls="says"),
        el("p", sure, cls="soft") if ends else None,
        el("p", KIND, cls="soft") if rows == "validation" else None,
        interval_bar(low, score, high, (0.0, 1.0), base),
        _scale(base),
        cls="card hero",
    )


def _sentence(metric: str, score: float, evaluation: dict[str, Any], rows: str) -> str:
    """The main score in words."""
    where = f"{count(evaluation.get('n'))} {rows} texts"
    kept = "it had never seen" if rows == "test" else "held out from training"
    if metric == "accuracy":
        right = f"Of 100 texts, about {100 * score:.0f} get the right label"
        return f"{right}: measured on {where} {kept}."
    if metric == "rouge_l":
        return (
            "How many of the reference's words a text holds, in its order, found and false "
            f"balanced (ROUGE-L): the mean over {where} {kept}."
        )
    if metric == "entity_f1":
        found, right = percent(evaluation.get("recall"), 0), percent(evaluation.get("precision"), 0)
        return (
            f"It finds {found} of the entities, and {right} of those it reports are right: "
            f"entity F1, measured on {where} {kept}."
        )
    return (
        f"{metric_name(metric)}: the balance between finding labels and giving false ones, every "
        f"label counting the same, measured on {where} {kept}."
    )


def _scale(base: float | None) -> Html:
    """What the marks on the line below the score mean."""
    words = None
    if base is not None:
        words = el(
            "span",
            el("i", cls="base", aria_hidden="true"),
            f"always giving the commonest label: {percent(base)}",
        )
    return el("div", el("span", "0 %"), words, el("span", "100 %"), cls="ends")


def _tiles(evidence: Evidence) -> Html | None:
    """The figures people ask for first."""
    fit, (evaluation, _) = block(evidence, "fit"), shown_rows(evidence)
    shown = [
        tile(percent(evaluation.get(name)), metric_name(name))
        for name in ("macro_f1", "micro_f1")
        if name != main_metric(evaluation) and number(evaluation.get(name)) is not None
    ][:1]
    ece = number(evaluation.get("ece"))
    shown += [
        tile(f"± {decimal(100 * ece, 1)} points", "its stated confidence is off by")
        if ece
        else None,
        *_silence(evaluation),
        tile(count(_size(fit.get("labels"))), "labels"),
        tile(count(fit.get("rows_train")), "texts it learned from"),
        tile(megabytes(fit.get("artifact_mb")), f"served file, {fit.get('precision') or 'model'}"),
        tile(duration(fit.get("seconds")), "to make it"),
    ]
    kept = [each for each in shown if each is not None]
    return el("div", *kept, cls="tiles") if kept else None


def _silence(evaluation: dict[str, Any]) -> list[Html | None]:
    """What abstaining does, where the model does abstain."""
    coverage = number(evaluation.get("coverage"))
    if coverage is None or coverage >= 1:
        return []
    right = tile(percent(evaluation.get("selective_accuracy")), "right when it answers")
    return [right, tile(percent(coverage), "of texts it answers")]


def _size(labels: Any) -> Any:
    """How many labels there are, given their names or their number."""
    return len(labels) if isinstance(labels, list | tuple) else labels


def _notes(fit: dict[str, Any]) -> list[Html]:
    """What the run wants its reader to know."""
    notes = fit.get("notes")
    if not isinstance(notes, list) or not notes:
        return []
    listed = el("ul", *(el("li", data(note)) for note in notes))
    return [el("div", el("b", "Worth knowing"), listed, cls="note know small")]
