"""The page about a pretraining: what it learnt from, and how its guesses became better."""

from __future__ import annotations

import json
from typing import Any

from takeroot.evaluate.report import svg
from takeroot.evaluate.report.charts import training_chart
from takeroot.evaluate.report.html import Html, data, el, fold, table
from takeroot.evaluate.report.numbers import (
    count,
    decimal,
    duration,
    number,
    percent,
    points,
    rows,
    short,
)
from takeroot.evaluate.report.page import document
from takeroot.evaluate.report.parts import figure, section, tile

MOST_POINTS = 300  # of a curve: more cannot be told apart
MOST_LISTED = 20

Found = dict[str, Any]


def render_page(found: Found) -> str:
    """One HTML document that loads nothing from anywhere.

    Args:
        found: The summary of a pretraining, with its recipe.
    """
    name = str(found["model"]).rstrip("/").rpartition("/")[2]
    when = el("span", data(f"takeroot {found['takeroot']}"))
    parts = [_overview(name, found), _curves(found), _texts(found), _repeat(found)]
    return document(f"{name} · takeroot pretraining", when, *parts)


def _overview(name: str, found: Found) -> Html:
    """What the model is, and how good its guesses are."""
    before, after = found["before"], found["after"]
    begun = f"going on from {found['from']}" if found["from"] else "from scratch"
    kind = "each next token" if found["objective"] == "causal" else "hidden words"
    says = (
        f"On texts it has not seen, it is as unsure as if {short(after['perplexity'])} tokens were "
        f"equally likely; before, it was {short(before['perplexity'])}. It guesses "
        f"{percent(after['accuracy'])} of {kind} rightly."
    )
    tiles = [
        tile(decimal(after["loss"], 3), "loss on held-out texts"),
        tile(decimal(after["perplexity"], 1), "perplexity on held-out texts"),
        tile(percent(after["accuracy"]), "guessed rightly"),
        tile(percent(after.get("pair_accuracy")), "pairs told rightly"),
        tile(f"{decimal(found['parameters'] / 1e6, 1)} million", "parameters"),
        tile(count(found["vocabulary"]), "tokens in the vocabulary"),
        tile(count(found["steps"]), "steps"),
        tile(duration(found["seconds"]), "to make it"),
    ]
    shown = [each for each in tiles if each is not None]
    return el(
        "div",
        el("h1", data(name)),
        el("p", f"An encoder, pretrained {begun}, by guessing {kind}.", cls="soft"),
        el("div", el("p", says, cls="says"), cls="card hero"),
        el("div", *shown, cls="tiles"),
    )


def _curves(found: Found) -> Html | None:
    """Training loss by step, held-out loss and perplexity by pass."""
    history = found["history"]
    held = points(rows(history, "held_out"), "epoch", "loss", "perplexity")
    return section(
        "curves",
        "How it learnt",
        "Lower is better. Held-out texts were never trained on; the same tokens are hidden in them "
        "every time.",
        _training(points(rows(history, "training"), "step", "loss")),
        _held_out(held, 1, "loss", "Held-out loss"),
        _held_out(held, 2, "perplexity", "Held-out perplexity"),
    )


def _training(losses: list[tuple[float, ...]]) -> Html | None:
    """The loss it was trained by."""
    if len(losses) < 2:
        return None
    spots = losses[:: max(1, len(losses) // MOST_POINTS)]
    reading = f"It fell from {short(spots[0][1])} to {short(spots[-1][1])}."
    listed = spots[:: max(1, len(spots) // MOST_LISTED)]
    numbers = table(("Step", "Loss"), ((count(s), decimal(v, 4)) for s, v in listed))
    return figure("Training loss", reading, training_chart(spots, reading), numbers=numbers)


def _held_out(held: list[tuple[float, ...]], place: int, name: str, title: str) -> Html | None:
    """One held-out figure by pass."""
    if len(held) < 2:
        return None
    spots = [(each[0], each[place]) for each in held]
    values = [value for _, value in spots]
    reading = f"It fell from {short(values[0])} to {short(values[-1])}."
    if values[-1] > values[0]:
        reading = f"It rose from {short(values[0])} to {short(values[-1])}: it learnt too long."
    sheet = svg.Sheet(
        svg.axis(0, spots[-1][0], "passes over the texts", short),
        svg.axis(min(values), max(*values, min(values) + 1e-3), name, short, about=4),
    )
    dots = [svg.dot(sheet, x, y, 3.5, f"after pass {x:.3g}: {short(y)}") for x, y in spots]
    drawn = svg.drawing(sheet, f"{title}. {reading}", svg.line(sheet, spots), *dots)
    numbers = table(("Pass", name.capitalize()), ((decimal(x, 2), decimal(y, 4)) for x, y in spots))
    return figure(title, reading, drawn, numbers=numbers)


def _texts(found: Found) -> Html | None:
    """What became of the rows of every file."""
    listed = [
        (
            data(each["file"]),
            count(each["rows_in"]),
            count(each["kept"]),
            count(each["duplicates"]),
            count(sum(number(value) or 0 for value in each["rejected"].values())),
        )
        for each in found["files"]
    ]
    whole = table(("File", "Rows", "Kept", "Duplicates", "Not usable"), listed)
    documents, tokens = found["documents"], found["tokens"]
    reading = (
        f"{count(documents['train'])} documents with {count(tokens['train'])} tokens were learnt "
        f"from, {count(documents['held_out'])} were held out. "
        f"{percent(found['unknown_share'], 2)} of the held-out tokens are unknown ones."
    )
    lead = "Every row is accounted for; of documents that stand twice the first counts."
    return section("texts", "The texts", lead, figure("Files", reading, whole, wide=True))


def _repeat(found: Found) -> Html | None:
    """The recipe, folded."""
    shown = json.dumps(found["recipe"], indent=2, ensure_ascii=False)
    lead = "The same recipe, texts, seed and machine give the same weights."
    recipe = found["recipe"]
    if recipe["model"] is None and recipe["tokenizer"]["kind"] == "unigram":
        lead = (
            "A unigram tokenizer trained anew may differ in rare tokens, and the weights with it."
        )
    return section("repeat", "How to repeat it", lead, fold("Recipe", el("pre", data(shown))))
