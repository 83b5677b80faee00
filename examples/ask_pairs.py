"""Messages that nobody has labelled get a first guess from a model that compares two texts.

That model answers "do two messages ask for the same thing?", one of them being what a label means.
It is asked while fitting; what is served knows the labels alone and is as quick as any other.

Run it with: python examples/ask_pairs.py
"""
# ruff: noqa: T201  (an example shows what it found)

from __future__ import annotations

import csv
from pathlib import Path

import yaml

import takeroot
from takeroot.demo import demo_set

EXAMPLES = Path(__file__).parent


def without_labels(table: Path, to: Path) -> Path:
    """A file of the table's texts, a line each."""
    with table.open(encoding="utf-8", newline="") as file:
        to.write_text("".join(f"{row['text']}\n" for row in csv.DictReader(file)), encoding="utf-8")
    return to


def main() -> None:
    """Fit the model of pairs, have it asked, evaluate."""
    same = takeroot.fit(recipe=EXAMPLES / "pair.yaml", out="runs/same")
    names = yaml.safe_load((EXAMPLES / "zero_shot.yaml").read_text(encoding="utf-8"))
    texts = without_labels(demo_set("en").train, Path("runs/messages.txt"))
    recipe = {
        "data": {"labels": names["data"]["labels"], "unlabelled": str(texts)},
        "fit": {
            "method": "zero_shot",
            "nli": {"bundle": str(same.bundle), "label": "yes", "template": "{}"},
        },
    }
    model = takeroot.fit(recipe=recipe, out="runs/asked")
    print(f"accuracy on the test file: {model.evaluate(demo_set('en').test)['accuracy']:.3f}")


if __name__ == "__main__":
    main()
