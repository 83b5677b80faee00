"""Accuracy and time of ``takeroot fit`` on public data sets, through the command line.

Run: python bench/accuracy.py [NAME ...] [--out FOLDER]
The data sets are looked for in TAKEROOT_DATA, or in shared/data beside the repository; a set that
is absent is skipped with a line that says so. Each test file is read once, at the end of its fit.
Prints one row a run, and writes what the command said to FOLDER/NAME.json.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
SEEDS = 5
Said = dict[str, Any]


@dataclass(frozen=True)
class Figure:
    """One measured run.

    Args:
        name: Of the run.
        seconds: Of the whole command.
        said: What it printed.
        shown: The figures to print.
    """

    name: str
    seconds: float
    said: Said
    shown: dict[str, float]


def command(*words: object) -> tuple[Said, float]:
    """What ``takeroot`` printed as JSON, and how long the whole process took."""
    start = time.monotonic()
    tool = Path(sys.executable).with_name("takeroot")
    line = [str(tool), *(str(word) for word in words), "--json"]
    done = subprocess.run(line, stdout=subprocess.PIPE, text=True, check=False)
    seconds = time.monotonic() - start
    if done.returncode:
        raise SystemExit(f"{' '.join(line)} ended with {done.returncode}: {done.stdout}")
    return json.loads(done.stdout), seconds


def fit(name: str, out: Path, metric: str, *words: object) -> Figure:
    """Fit, and show the test metric."""
    said, seconds = command("fit", *words, "--out", out / name)
    test = said["test"]
    shown = {metric: test[metric], "seconds": seconds, "peak_rss_mb": said["peak_rss_mb"]}
    agreement = said["parity"]["label_agreement"]
    if agreement is not None:
        shown["label_agreement"] = agreement
    return Figure(name, seconds, said, shown | {"artifact_mb": said["artifact_mb"]})


def draw(labels: Sequence[str], shots: int, seed: int) -> np.ndarray:
    """Numbers of ``shots`` rows a label."""
    random, each = np.random.RandomState(seed), np.array(labels)
    kept = [
        random.choice(np.where(each == label)[0], shots, replace=False)
        for label in sorted(set(labels))
    ]
    return np.concatenate(kept)


def banking_full(data: Path, out: Path) -> Iterator[Figure]:
    """Banking77, all rows, two presets."""
    for preset in ("fast", "balanced"):
        files = (data / "banking77/train.csv", "--test", data / "banking77/test.csv")
        yield fit(f"banking77-{preset}", out, "accuracy", *files, "--preset", preset)


def banking_few(data: Path, out: Path) -> Iterator[Figure]:
    """Banking77, 10 and 5 rows a class, five seeds each."""
    with (data / "banking77/train.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    for shots in (10, 5):
        for seed in range(SEEDS):
            name = f"banking77-{shots}shot-{seed}"
            kept = draw([row["category"] for row in rows], shots, seed)
            path = out / f"{name}.csv"
            with path.open("w", encoding="utf-8", newline="") as stream:
                writer = csv.DictWriter(stream, ["text", "category"])
                writer.writeheader()
                writer.writerows(rows[k] for k in kept)
            yield fit(name, out, "accuracy", path, "--test", data / "banking77/test.csv")


def clinc(data: Path, out: Path) -> Iterator[Figure]:
    """CLINC150, trained without any out-of-scope row, tested with them."""
    folder = out / "clinc"
    command("data", "convert", "clinc", data / "clinc150/data_full.json", "-o", folder)
    fitted = fit("clinc150", out, "accuracy", folder / "train.csv", "--test", folder / "test.csv")
    both = out / "clinc-test-both.csv"
    with both.open("w", encoding="utf-8", newline="") as stream:
        for number, part in enumerate(("test.csv", "out_of_scope_test.csv")):
            lines = (folder / part).read_text(encoding="utf-8").splitlines(keepends=True)
            stream.writelines(lines[min(number, 1) :])
    said, _ = command("evaluate", fitted.said["bundle"], both, "--out-of-scope", "oos")
    names = ("in_scope_accuracy", "accuracy_abstained_wrong", "out_of_scope_recall", "auroc")
    scope = {key: value for key, value in said.items() if any(name in key for name in names)}
    yield Figure("clinc150", fitted.seconds, fitted.said | {"scope": said}, fitted.shown | scope)


def goemotions(data: Path, out: Path) -> Iterator[Figure]:
    """GoEmotions, 28 labels, several a row."""
    folder = out / "goemotions-csv"
    parts = [data / "goemotions" / f"{name}.tsv" for name in ("train", "dev", "test")]
    command("data", "convert", "goemotions", *parts, "-o", folder)
    files = (folder / "train.csv", "--test", folder / "test.csv")
    yield fit("goemotions", out, "macro_f1", *files, "--task", "multilabel")


def wnut(data: Path, out: Path) -> Iterator[Figure]:
    """WNUT 2017, named entities."""
    files = (data / "wnut17/wnut17train.conll", "--test", data / "wnut17/emerging.test.annotated")
    yield fit("wnut17", out, "entity_f1", *files)


def csl(data: Path, out: Path) -> Iterator[Figure]:
    """CSL, Chinese, 13 classes, which the packaged encoder cannot read."""
    files = (data / "csl_category_zh/train.tsv", "--test", data / "csl_category_zh/test.tsv")
    found = fit("csl_category_zh", out, "accuracy", *files, "--header", "kind,text,label")
    majority = found.said["test"]["majority_accuracy"]
    yield Figure(found.name, found.seconds, found.said, found.shown | {"majority": majority})


SETS: dict[str, tuple[str, Callable[[Path, Path], Iterator[Figure]]]] = {
    "banking77": ("banking77", banking_full),
    "banking77-few": ("banking77", banking_few),
    "clinc150": ("clinc150", clinc),
    "goemotions": ("goemotions", goemotions),
    "wnut17": ("wnut17", wnut),
    "csl": ("csl_category_zh", csl),
}


def main() -> None:
    """Run the sets named, or all of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("names", nargs="*", choices=[*SETS, []], help="Sets; all by default.")
    parser.add_argument("--out", type=Path, default=Path("runs/bench"), help="New folder.")
    given = parser.parse_args()
    data = Path(os.environ.get("TAKEROOT_DATA", ROOT.parent / "shared/data"))
    given.out.mkdir(parents=True, exist_ok=True)
    for name in given.names or SETS:
        folder, run = SETS[name]
        if not (data / folder).is_dir():
            print(f"{name}: skipped, {folder} is not in TAKEROOT_DATA or shared/data")
            continue
        found = []
        for figure in run(data, given.out):
            found.append(figure)
            text = json.dumps(figure.said | {"command_seconds": figure.seconds})
            (given.out / f"{figure.name}.json").write_text(text, encoding="utf-8")
            values = "  ".join(f"{key} {value:.4g}" for key, value in figure.shown.items())
            print(f"{figure.name:24} {figure.said['method']:6} {values}", flush=True)
        if name == "banking77-few":
            summarise(found)


def summarise(found: list[Figure]) -> None:
    """Mean and spread over the seeds."""
    for shots in ("10shot", "5shot"):
        runs = [figure for figure in found if f"-{shots}-" in figure.name]
        scores = [100 * figure.shown["accuracy"] for figure in runs]
        seconds = statistics.mean(figure.seconds for figure in runs)
        mean, deviation = statistics.mean(scores), statistics.stdev(scores)
        print(
            f"banking77 {shots}: {mean:.2f} ± {deviation:.2f} %, {seconds:.0f} s each", flush=True
        )


if __name__ == "__main__":
    main()
