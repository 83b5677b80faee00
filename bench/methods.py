"""The ways to adapt the encoder to banking77, side by side: size, accuracy, time, memory.

Run: python bench/methods.py [METHOD ...] [--rows N] [--seed 0] [--out FOLDER]
Each method is one ``takeroot fit`` with its defaults, one after another; the test file is read at
the end of each. ``--rows`` takes so many training rows at random. The data is looked for in
TAKEROOT_DATA, or in shared/data beside the repository; where it is absent, the script says so.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import os
import random
import subprocess
import sys
import time
from pathlib import Path

from safetensors import safe_open

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("TAKEROOT_DATA", ROOT.parent / "shared" / "data")) / "banking77"
METHODS = ("probe", "full", "lora", "adalora", "adapter", "prefix", "prompt", "ia3")
BASE = 22_565_376  # parameters of minilm-l6
FROZEN_TABLES = "encoder.embeddings."  # which full fine-tuning does not train


def main() -> int:
    """Print one row a method."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("methods", nargs="*", help=f"Of: {', '.join(METHODS)}.")
    parser.add_argument("--rows", type=int, help="Training rows; all if absent.")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/bench-methods"))
    given = parser.parse_args()
    if not (DATA / "train.csv").exists():
        print("skipped: banking77 is not in TAKEROOT_DATA or ../shared/data")
        return 0
    given.out.mkdir(parents=True, exist_ok=True)
    train = DATA / "train.csv" if given.rows is None else sample(given.rows, given.seed, given.out)
    print("method      trained  share %  valid %  test %  seconds  MB memory  MB weights  int8")
    for method in given.methods or METHODS:
        print(row(method, train, given.seed, given.out / method), flush=True)
    return 0


def row(method: str, train: Path, seed: int, out: Path) -> str:
    """Fit with one method; a line of the table."""
    tool = Path(sys.executable).with_name("takeroot")
    words = ["fit", train, "--test", DATA / "test.csv", "--out", out, "--json"]
    settings = ["--set", f"fit.method={method}", "--set", f"fit.seed={seed}"]
    start = time.monotonic()
    done = subprocess.run([tool, *words, *settings], stdout=subprocess.PIPE, text=True, check=True)
    seconds, said = time.monotonic() - start, json.loads(done.stdout)
    trained, share, size_mb = trained_of(method, Path(said["bundle"]))
    valid, test = (100 * said[part]["accuracy"] for part in ("valid", "test"))
    return (
        f"{method:10} {trained:9,d} {100 * share:7.2f} {valid:8.2f} {test:7.2f} {seconds:8.0f} "
        f"{said['peak_rss_mb']:10,d} {size_mb:11.2f}  {said['precision']}"
    )


def trained_of(method: str, bundle: Path) -> tuple[int, float, float]:
    """Trained parameters, as a number and a share of the pretrained ones, and MB of weights/."""
    whole, alone = (bundle / "weights" / f"{name}.safetensors" for name in ("model", "adapter"))
    file = alone if alone.exists() else whole
    sizes = sizes_of(file)
    if file == whole:
        head = method == "probe"
        sizes = {
            name: size
            for name, size in sizes.items()
            if not name.startswith("encoder." if head else FROZEN_TABLES)
        }
    trained = sum(sizes.values())
    return trained, trained / BASE, file.stat().st_size / 1e6


def sizes_of(file: Path) -> dict[str, int]:
    """How many values each tensor of a safetensors file has."""
    with safe_open(file, "np") as opened:
        names = opened.keys()
        return {name: math.prod(opened.get_slice(name).get_shape()) for name in names}


def sample(rows: int, seed: int, out: Path) -> Path:
    """A file of some training rows, drawn at random."""
    with (DATA / "train.csv").open(encoding="utf-8", newline="") as stream:
        header, *every = csv.reader(stream)
    random.Random(seed).shuffle(every)
    path = out / f"train-{rows}.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([header, *every[:rows]])
    return path


if __name__ == "__main__":
    sys.exit(main())
