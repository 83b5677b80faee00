"""Eight labelled messages an intent: fit on a list of dicts and see what more labels would buy.

Run it with: python examples/few_labels.py
"""
# ruff: noqa: T201  (an example shows what it found)

from __future__ import annotations

import csv
from collections import defaultdict

import takeroot
from takeroot.demo import demo_set

ROWS_EACH = 8


def few_rows() -> list[dict[str, str]]:
    """The first rows of every intent of the packaged English demo set."""
    by_intent: dict[str, list[dict[str, str]]] = defaultdict(list)
    with demo_set("en").train.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            by_intent[row["intent"]].append(row)
    return [row for rows in by_intent.values() for row in rows[:ROWS_EACH]]


def main() -> None:
    """Fit, evaluate on the packaged test file, and answer two messages."""
    model = takeroot.fit(few_rows(), text="text", label="intent", preset="fast", out="runs/few")
    figures = model.evaluate(demo_set("en").test)
    print(f"accuracy on the test file: {figures['accuracy']:.3f}")
    print(f"learning curve and all other figures: {model.report_path}")
    for answer in model.predict(["my parcel is late", "who won the match?"]):
        print(answer.label, f"{answer.confidence:.2f}", answer.reason or "")


if __name__ == "__main__":
    main()
