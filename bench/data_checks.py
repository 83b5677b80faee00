"""What ``takeroot data check`` finds of errors planted in banking77.

Run: python bench/data_checks.py [--seeds 3]
Planted: 5 % of the labels flipped to another one at random; 3 % near duplicates (up to every fifth
character or word edited); 2 % of the training rows copied, with other case and blanks, into a test
file that shares nothing else with them. The data is looked for in TAKEROOT_DATA, or in shared/data
beside the repository; where it is absent, the script says so and ends.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rapidfuzz.distance.Levenshtein import distance

from takeroot.data.near_duplicates import find
from takeroot.data.texts import normal_form

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("TAKEROOT_DATA", ROOT.parent / "shared" / "data")) / "banking77"
Pair = tuple[str, str]


def main() -> int:
    """Print one row a measurement."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    seeds = parser.parse_args().seeds
    if not (DATA / "train.csv").exists():
        print("skipped: banking77 is not in TAKEROOT_DATA or ../shared/data")
        return 0
    with (DATA / "train.csv").open(encoding="utf-8", newline="") as file:
        rows = [(row[0], row[1]) for row in csv.reader(file)][1:]
    print(f"{'planted':<32} {'recall':>7} {'precision':>10} {'seconds':>8}")
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(seeds):
            show(f"label errors, seed {seed}", *label_errors(rows, seed, Path(folder)))
        show("near duplicates", *near_duplicates(rows))
        show("leakage", *leakage(rows, Path(folder)))
    return 0


def show(name: str, recall: float, precision: float | None, seconds: float) -> None:
    """Print one row."""
    said = "-" if precision is None else f"{precision:.3f}"
    print(f"{name:<32} {recall:>7.3f} {said:>10} {seconds:>8.1f}", flush=True)


def label_errors(rows: Sequence[Pair], seed: int, folder: Path) -> tuple[float, float, float]:
    """Recall and precision of the flagged rows, and the seconds of the command."""
    names = sorted({label for _, label in rows})
    rng = np.random.RandomState(seed)
    flipped = rng.rand(len(rows)) < 0.05
    other = rng.randint(1, len(names), len(rows))
    given = [
        (text, names[(names.index(label) + other[i]) % len(names)] if flipped[i] else label)
        for i, (text, label) in enumerate(rows)
    ]
    write(folder / "train.csv", given)
    report, seconds = check(folder / "train.csv", "--label-errors")
    found = places(report, "label_errors")
    return flipped[found].sum() / flipped.sum(), flipped[found].mean(), seconds


def near_duplicates(rows: Sequence[Pair]) -> tuple[float, None, float]:
    """Share of the planted near duplicates that are found; real ones stand in the data too."""
    rng = random.Random(0)
    chosen = rng.sample(range(len(rows)), len(rows) * 3 // 100)
    words = sorted({word for text, _ in rows for word in text.split()})
    edits = [edit(normal_form(rows[i][0]), rng, words) for i in chosen]
    planted = [
        (text, rows[i][1])
        for text, i in zip(edits, chosen, strict=True)
        if 0 < distance(text, normal_form(rows[i][0])) <= 0.2 * len(text)
    ]
    start = time.monotonic()  # not by the command: a report lists a thousand rows, these are more
    found = {pair.second for pair in find([text for text, _ in [*rows, *planted]])}
    seconds = time.monotonic() - start
    return sum(place >= len(rows) for place in found) / len(planted), None, seconds


def leakage(rows: Sequence[Pair], folder: Path) -> tuple[float, float, float]:
    """Share of the copied rows that are found, and share of what is found that was copied."""
    unique = list({normal_form(text): (text, label) for text, label in rows}.values())
    random.Random(0).shuffle(unique)
    copied = len(unique) // 50
    train, test = unique[:8000], unique[8000:]
    test += [(f"  {text.upper()} ", label) for text, label in train[:copied]]
    write(folder / "train.csv", train)
    write(folder / "test.csv", test)
    report, seconds = check(folder / "train.csv", "--test", folder / "test.csv")
    found = places(report, "leakage")
    hits = sum(place >= len(test) - copied for place in found)
    return hits / copied, hits / max(1, len(found)), seconds


def edit(text: str, rng: random.Random, words: Sequence[str]) -> str:
    """The text with up to every fifth word or character replaced, inserted or deleted."""
    by_word = rng.random() < 0.5
    parts = text.split() if by_word else list(text)
    for _ in range(max(1, int(len(parts) * rng.uniform(0, 0.2)))):
        place, kind = rng.randrange(len(parts)), rng.randrange(3)
        new = rng.choice(words) if by_word else rng.choice("abcdefghijklmnopqrstuvwxyz ")
        parts[place : place + (kind > 0)] = [] if kind == 1 and len(parts) > 1 else [new]
    return normal_form((" " if by_word else "").join(parts))


def check(*words: object) -> tuple[Any, float]:
    """The report, and how long the whole process took."""
    start = time.monotonic()
    tool = Path(sys.executable).with_name("takeroot")
    line = [str(tool), "data", "check", *(str(word) for word in words), "--json"]
    line += ["--model", "none"]
    done = subprocess.run(line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    return json.loads(done.stdout), time.monotonic() - start


def places(report: Any, kind: str) -> list[int]:
    """Numbers of the rows an issue lists, counted from 0."""
    rows = next((i["rows"] for i in report["issues"] if i["kind"] == kind), [])
    return [int(row["source"].rpartition(":")[2]) - 2 for row in rows]


def write(path: Path, rows: Sequence[Pair]) -> None:
    """Write the rows as csv; every text is made one line, so that lines count rows."""
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(
            [("text", "label"), *((" ".join(text.split()), label) for text, label in rows)]
        )


if __name__ == "__main__":
    sys.exit(main())
