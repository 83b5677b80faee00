"""Time and memory of ``takeroot fit --preset fast`` against the number of rows.

Run: python bench/fit_rows.py [ROWS ...] [--out FOLDER]
Rows are made up: sentences of 6 to 16 words out of 4,000, of which each of 20 labels prefers some,
so that there is something to learn and no two rows are alike. Prints one line a size, with time and
memory per row against the size before: above 1 they grow faster than the rows.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

ROWS = (1_000, 10_000, 100_000)
WORDS, LABELS, PREFERRED = 4_000, 20, 40
VOWELS, CONSONANTS = "aeiou", "bcdfghklmnprstvw"


def write(path: Path, rows: int) -> None:
    """Labelled rows as csv."""
    random = np.random.default_rng(rows)
    letters = [CONSONANTS, VOWELS] * 3
    words = ["".join(random.choice(list(kind)) for kind in letters) for _ in range(WORDS)]
    preferred = random.integers(0, WORDS, (LABELS, PREFERRED))
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["text", "label"])
        for _ in range(rows):
            label, length = random.integers(LABELS), random.integers(6, 17)
            some = random.integers(0, WORDS, length)
            own = random.random(length) < 0.3
            some[own] = random.choice(preferred[label], own.sum())
            writer.writerow([" ".join(words[k] for k in some), f"label {label}"])


def main() -> None:
    """Fit each size and print a line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("rows", nargs="*", type=int, help="Sizes; 1,000, 10,000 and 100,000.")
    parser.add_argument("--out", type=Path, default=Path("runs/bench"), help="New folder.")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    tool = Path(sys.executable).with_name("takeroot")
    before = None
    for rows in given.rows or ROWS:
        path = given.out / f"rows-{rows}.csv"
        write(path, rows)
        start = time.monotonic()
        line = [tool, "fit", path, "--preset", "fast", "--out", given.out / path.stem, "--json"]
        done = subprocess.run(line, stdout=subprocess.PIPE, text=True, check=True)
        seconds, said = time.monotonic() - start, json.loads(done.stdout)
        memory = said["peak_rss_mb"]
        growth = ""
        if before is not None:
            times = rows / before[0]
            growth = f"  per row, against the size before: {seconds / before[1] / times:.2f} "
            growth += f"of the time, {memory / before[2] / times:.2f} of the memory"
        print(
            f"{rows:8} rows {said['method']:6} {seconds:6.0f} s {memory:6} MB{growth}", flush=True
        )
        before = (rows, seconds, memory)


if __name__ == "__main__":
    main()
