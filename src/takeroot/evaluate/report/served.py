"""What is served: the exact file, how close it stays to the network, how fast it is."""

from __future__ import annotations

from typing import Any

from takeroot.evaluate.report.html import Html, data, el, table
from takeroot.evaluate.report.numbers import (
    MISSING,
    block,
    count,
    decimal,
    megabytes,
    number,
    pair,
    percent,
    rows,
)
from takeroot.evaluate.report.parts import figure, section

Evidence = dict[str, Any]


def served(evidence: Evidence) -> Html | None:
    """The section."""
    return section(
        "served",
        "What is served",
        "The file in the bundle was itself put to the test on this machine, against the network as "
        "it was trained.",
        _variants(block(evidence, "parity")),
        _parity(block(evidence, "parity")),
    )


def _parity(parity: dict[str, Any]) -> Html | None:
    """Whether the served file gives the network's answers."""
    agreement = number(parity.get("label_agreement"))
    if agreement is None:
        return None
    reading = (
        f"On {count(parity.get('rows'))} texts, {percent(agreement, 2)} get the same label from "
        "the served file as from the trained network."
    )
    if parity.get("seen_in_training"):
        reading += " The network was trained on these texts, too: it learnt from all rows."
    lines = [
        ("Same label", percent(agreement, 2)),
        ("Largest change of a probability", decimal(parity.get("max_probability_difference"), 5)),
        ("Texts compared", count(parity.get("rows"))),
    ]
    return figure("Same answers as the network?", reading, table(("", ""), lines), wide=True)


def _variants(parity: dict[str, Any]) -> Html | None:
    """Precisions that were measured, and why one was taken."""
    tried = rows(parity, "variants")
    if not tried:
        return None
    lines = [
        (
            _precision(each, parity.get("precision")),
            percent(each.get("metric"), 2),
            _drop(each),
            _unit(decimal(each.get("latency_ms"), 1), "ms"),
            count(each.get("texts_per_s")),
            megabytes(each.get("size_mb")),
        )
        for each in tried
    ]
    if number(tried[0].get("tokens_per_s")) is not None:
        return _writers(tried, parity)
    heads = ("Format", "Score", "Points lost", "One text", "Texts a second", "Size")
    reason = parity.get("reason")
    reading = data(reason) if reason else "Measured here, on held-out texts."
    return figure("Size and speed", reading, table(heads, lines), wide=True)


def _writers(tried: list[dict[str, Any]], parity: dict[str, Any]) -> Html:
    """The same for a model that writes."""
    lines = [
        (
            _precision(each, parity.get("precision")),
            percent(each.get("metric"), 2),
            _drop(each),
            count(each.get("tokens_per_s")),
            megabytes(each.get("size_mb")),
        )
        for each in tried
    ]
    heads = ("Format", "Mean probability of a token", "Points lost", "Tokens a second", "Size")
    reading = "Measured here, on held-out prompts one after another."
    said = parity.get("reason")
    return figure("Size and speed", data(said) if said else reading, table(heads, lines), wide=True)


def _precision(each: dict[str, Any], chosen: Any) -> Html:
    """A precision's name, marked where it is served."""
    name = each.get("precision")
    badge = el("span", "served", cls="badge") if name == chosen else None
    return el("span", str(name), " ", badge)


def _drop(each: dict[str, Any]) -> Html:
    """What was lost against full precision, in points, with its interval below."""
    drop, ends = number(each.get("drop")), pair(each.get("drop_interval"))
    if drop is None:
        return el("span", MISSING)
    around = f"{100 * ends[0]:+.2f} to {100 * ends[1]:+.2f}" if ends else None
    return el("div", f"{100 * drop:+.2f}", el("div", around, cls="soft") if around else None)


def _unit(value: str, unit: str) -> str:
    """The value with its unit, where there is one."""
    return value if value == MISSING else f"{value} {unit}"
