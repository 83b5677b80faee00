"""How long texts are, and what the model's tokenizer makes of them."""

from __future__ import annotations

from typing import Any

from takeroot.evaluate.report.charts import histogram_chart
from takeroot.evaluate.report.html import Html, el, table
from takeroot.evaluate.report.numbers import block, count, decimal, number, percent, points, rows
from takeroot.evaluate.report.parts import figure

UNREAD = 0.005  # share of unknown tokens from which on it is worth a sentence


def lengths(report: dict[str, Any]) -> Html | None:
    """The histogram of lengths, from a data report."""
    length = block(report, "length")
    bins = histogram(length)
    if not bins:
        return None
    unit = str(length.get("unit") or "characters")
    median = number(length.get("median"))
    middle = _middle(bins) if median is None else median
    reading = f"Half of the texts have at most {middle:g} {unit}{_cut(report)}"
    drawn = histogram_chart(bins, unit, reading)
    lines = ((f"{low:g} – {high:g}", count(times)) for low, high, times in bins)
    numbers = table((unit.capitalize(), "Texts"), lines)
    return figure("How long texts are", reading, drawn, _tokens(report), numbers=numbers)


def histogram(length: dict[str, Any]) -> list[tuple[float, ...]]:
    """Bars (from, to, texts); ``to`` is the last length that a bar holds."""
    bars = points(rows(length, "histogram"), "from", "to", "count")
    return [each for each in bars if each[1] >= each[0]]


def _cut(report: dict[str, Any]) -> str:
    """The sentence's end: how many texts are too long for the model."""
    use = block(report, "tokens")
    cut, limit = number(use.get("truncated")), number(use.get("max_tokens"))
    if cut is None or limit is None:
        return "."
    if cut == 0:
        return f"; all fit into the {limit:.0f} tokens that the model reads."
    verb = "is" if cut == 1 else "are"
    return f"; {count(cut)} {verb} longer than the {limit:.0f} tokens that the model reads."


def _tokens(report: dict[str, Any]) -> Html | None:
    """What the tokenizer makes of the texts."""
    use = block(report, "tokens")
    if number(use.get("mean")) is None:
        return None
    words = (
        f"The model's tokenizer makes {decimal(use['mean'], 1)} tokens of a text on average, "
        f"{count(use.get('longest'))} of the longest."
    )
    unknown = number(use.get("unknown_share"))
    if unknown is not None and unknown >= UNREAD:
        words += f" It cannot read {percent(unknown)} of them."
    return el("p", words, cls="small soft")


def _middle(bins: list[tuple[float, ...]]) -> float:
    """Upper end of the bar that holds the middle text."""
    half, seen = sum(times for *_, times in bins) / 2, 0.0
    for _, high, times in bins:
        seen += times
        if seen >= half:
            return high
    return bins[-1][1]
