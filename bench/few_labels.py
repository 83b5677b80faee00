"""Few labels: accuracy and time on banking77 by method, with and without texts without labels.

Run: python bench/few_labels.py [--shots 10 5] [--seeds 0 1 2 3 4] [--unlabelled] [--zero-shot]
     [--methods probe contrastive auto] [--setfit PYTHON] [--out FOLDER]
The data set is looked for in TAKEROOT_DATA, or in shared/data beside the repository. For each seed,
rows are drawn from the training file as bench/accuracy.py does; with --unlabelled the texts of all
others are given as well, without their labels. Each fit is the command line's, and its test file is
read once, at its end. With --setfit, SetFit trains on the same rows in the environment of that
interpreter (pip install setfit datasets): five pairs of each kind a row, with its default head and
a tuned one, and the time that its default sampling of all pairs would take.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import os
import statistics
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from accuracy import command, draw

from takeroot.models.packaged import locate

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("TAKEROOT_DATA", ROOT.parent / "shared/data")) / "banking77"
TEST = DATA / "test.csv"
Row = dict[str, str]
Figure = tuple[float, float]  # accuracy in per cent, seconds of the whole command


def read(path: Path) -> list[Row]:
    """The rows of a csv file."""
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def write(path: Path, rows: Sequence[Row], columns: Sequence[str]) -> Path:
    """A csv file with some columns of the rows."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return path


def fit(name: str, out: Path, *words: object) -> Figure:
    """One fit by the command line; what it said is kept in the run's folder."""
    said, seconds = command("fit", *words, "--test", TEST, "--out", out / name)
    (out / f"{name}.json").write_text(json.dumps(said), encoding="utf-8")
    accuracy = 100 * said["test"]["accuracy"]
    print(f"{name}: {said['method']} {accuracy:.2f} % in {seconds:.0f} s", flush=True)
    return accuracy, seconds


def one_seed(given: argparse.Namespace, shots: int, seed: int) -> dict[str, Figure]:
    """The figures of every way on one draw of rows."""
    rows = read(DATA / "train.csv")
    kept = draw([row["category"] for row in rows], shots, seed)
    start = f"banking77-{shots}-{seed}"
    train = write(given.out / f"{start}.csv", [rows[k] for k in kept], ("text", "category"))
    others = [rows[k] for k in np.setdiff1d(np.arange(len(rows)), kept)]
    more = write(given.out / f"{start}-texts.csv", others, ("text",))
    ways: dict[str, tuple[str, ...]] = {"": ()}
    if given.unlabelled:
        ways[" + texts"] = ("--set", f"data.unlabelled={more}")
    found = {}
    for method in given.methods:
        for way, words in ways.items():
            name = f"{start}-{method}{'-texts' if way else ''}"
            setting = ("--set", f"fit.method={method}", *words)
            found[method + way] = fit(name, given.out, train, *setting)
    if given.setfit is not None:
        found |= setfit(given.setfit, train, seed)
    return found


def setfit(python: Path, train: Path, seed: int) -> dict[str, Figure]:
    """SetFit's figures on the same rows."""
    script = Path(__file__).with_name("peers") / "setfit_run.py"
    found = {}
    for way, words in {"5 pairs": ("--iterations", "5"), "all pairs": ("--steps", "30")}.items():
        call = [python, script, train, TEST, locate("minilm-l6"), "--seed", seed, *words]
        line = [str(word) for word in call]
        done = subprocess.run(line, stdout=subprocess.PIPE, text=True, check=True)
        said = json.loads(done.stdout.splitlines()[-1])
        print(f"SetFit, {way}: {said}", flush=True)
        for name in [name for name in said if name.startswith("accuracy")]:
            found[f"SetFit {way}, {name[10:]}"] = (said[name], said["seconds"])
        if way == "all pairs":
            found[f"SetFit {way}"] = (math.nan, said["seconds"])
    return found


def zero_shot(out: Path) -> None:
    """The label names alone."""
    labels = sorted({row["category"] for row in read(DATA / "train.csv")})
    recipe = out / "names.yaml"
    named: dict[str, Any] = {"data": {"labels": dict.fromkeys(labels)}}
    recipe.write_text(json.dumps(named | {"fit": {"method": "zero_shot"}}), encoding="utf-8")
    fit("banking77-zero-shot", out, recipe)


def main() -> None:
    """Run every way on every draw, and print mean and spread."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--shots", type=int, nargs="+", default=[10, 5])
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(5)))
    parser.add_argument("--methods", nargs="+", default=["probe", "contrastive", "auto"])
    parser.add_argument("--unlabelled", action="store_true")
    parser.add_argument("--zero-shot", action="store_true")
    parser.add_argument("--setfit", type=Path, help="Interpreter of an environment with SetFit.")
    parser.add_argument("--out", type=Path, default=Path("runs/few-labels"), help="New folder.")
    given = parser.parse_args()
    if not TEST.is_file():
        print("skipped: banking77 is not in TAKEROOT_DATA or shared/data")
        return
    given.out.mkdir(parents=True, exist_ok=True)
    if given.zero_shot:
        zero_shot(given.out)
    for shots in given.shots:
        runs = [one_seed(given, shots, seed) for seed in given.seeds]
        for name in runs[0]:
            scores, seconds = zip(*(run[name] for run in runs), strict=True)
            spread = statistics.stdev(scores) if len(scores) > 1 else 0.0
            print(
                f"{shots:3} a label  {name:24} {statistics.mean(scores):.2f} ± {spread:.2f} %  "
                f"{statistics.mean(seconds):.0f} s",
                flush=True,
            )


if __name__ == "__main__":
    main()
