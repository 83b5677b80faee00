"""What a model that writes has learnt: its scores before and after, and what it writes."""

from __future__ import annotations

from typing import Any

from takeroot.evaluate.report.html import Child, Html, data, el, table
from takeroot.evaluate.report.numbers import (
    MISSING,
    block,
    count,
    decimal,
    number,
    pair,
    percent,
    rows,
)
from takeroot.evaluate.report.parts import figure, section
from takeroot.evaluate.report.words import METRICS, metric_name

Evidence = dict[str, Any]
LOSSES = ("loss", "perplexity")
OPEN_ANSWERS = 12


def written(evidence: Evidence) -> Html | None:
    """The section."""
    return section(
        "texts",
        "What it writes",
        "Texts have no one right answer: scores say how many words they share with the reference, "
        "and reading some of them says the rest.",
        _change(evidence),
        _losses(evidence),
        _answers(evidence),
        _parity(block(evidence, "parity")),
    )


def _change(evidence: Evidence) -> Html | None:
    """Each score of the test rows before and after training, with what has changed."""
    metrics = block(evidence, "metrics")
    before, after, gain = (block(metrics, name) for name in ("before", "test", "gain"))
    names = [name for name in METRICS if number(block(gain, name).get("change")) is not None]
    if not names:
        return None
    lines: list[tuple[Child, ...]] = [
        (
            metric_name(name),
            percent(before.get(name)),
            percent(after.get(name)),
            _points(block(gain, name), 100, 1),
        )
        for name in names
    ]
    loss = block(gain, "loss")
    losses = (decimal(each.get("loss"), 3) for each in (before, after))
    lines.append(("Loss a token", *losses, _points(loss, 1, 3)))
    sure = [name for name in names if (pair(block(gain, name).get("interval")) or (0, 0))[0] > 0]
    said = [metric_name(name) for name in sure]
    said += ["loss"] if (pair(loss.get("interval")) or (0, 0))[1] < 0 else []
    listed = ", ".join(said) or "none"
    reading = (
        f"The same {count(after.get('n'))} test prompts, answered by the model before and after "
        f"training, both as they are served. Better by more than chance: {listed}."
    )
    heads = ("Score", "Before", "After", "Change")
    return figure("Before and after training", reading, table(heads, lines), wide=True)


def _points(found: dict[str, Any], times: float, digits: int) -> Html:
    """A change with its interval below."""
    change, ends = number(found.get("change")), pair(found.get("interval"))
    if change is None:
        return el("span", MISSING)
    around = None
    if ends:
        around = f"{times * ends[0]:+.{digits}f} to {times * ends[1]:+.{digits}f}"
    return el("div", f"{times * change:+.{digits}f}", el("div", around, cls="soft"))


def _losses(evidence: Evidence) -> Html | None:
    """How well reference answers are guessed, token by token."""
    metrics = block(evidence, "metrics")
    valid = block(metrics, "valid")
    parts = {
        "Held out, network before training": block(valid, "before"),
        "Held out, network after it": block(valid, "after"),
        "Held out, as served": valid,
        "Test, as served": block(metrics, "test"),
    }
    lines = [
        (name, *(decimal(each.get(key), 3) for key in LOSSES))
        for name, each in parts.items()
        if number(each.get("loss")) is not None
    ]
    if not lines:
        return None
    reading = (
        "Perplexity is among how many tokens, equally likely, the model is undecided on average "
        "where it reads a reference answer: 1 would be never."
    )
    return figure("How well it guesses", reading, table(("", "Loss", "Perplexity"), lines))


def _answers(evidence: Evidence) -> Html | None:
    """Some rows with what was written."""
    shown = rows(evidence, "answers")[:OPEN_ANSWERS]
    if not shown:
        return None
    items = [_answer(each) for each in shown]
    reading = "Rows that took no part in training, as they come, not picked."
    return figure("Read some", reading, el("ul", *items, cls="plain"), wide=True)


def _answer(each: dict[str, Any]) -> Html:
    """One row."""
    lines = [("Reference", "reference"), ("Before", "before"), ("Written", "answer")]
    told = [
        el("p", el("b", f"{name}: "), data(each[key]))
        for name, key in lines
        if isinstance(each.get(key), str)
    ]
    return el("li", el("p", data(each.get("prompt") or ""), cls="soft"), *told)


def _parity(parity: dict[str, Any]) -> Html | None:
    """Whether the served file writes what the network would."""
    agreement = number(parity.get("token_agreement"))
    if agreement is None:
        return None
    reading = (
        f"Of {count(parity.get('tokens'))} tokens that the served file wrote to "
        f"{count(parity.get('answers'))} held-out prompts, the trained network, given the same "
        f"beginning, would have written {percent(agreement, 2)} as well; "
        f"{percent(parity.get('answer_agreement'))} of the answers are the same throughout."
    )
    return figure("Same words as the network?", reading)
