"""The installed command on the packaged demo set, from file to answers."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from takeroot.demo import demo_set

# A runner may have started us with Ctrl-C ignored, which would be inherited.
COMMAND = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from takeroot.cli import main
sys.exit(main())
"""
TAKEROOT = [sys.executable, "-c", COMMAND]
QUICK = ["--set", "fit.method=tfidf"]

pytestmark = pytest.mark.slow


def start(folder: Path, *words: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*TAKEROOT, *map(str, words)],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )


def test_chinese_demo_warns_and_takes_tfidf(tmp_path: Path) -> None:
    out, err = start(tmp_path, "demo", "--language", "zh", "--out", "zh", "--json").communicate()

    found = json.loads(out)
    assert found["method"] == "tfidf"
    assert "minilm-l6 cannot read these texts" in err
    assert found["test"]["accuracy"] > found["test"]["majority_accuracy"] + 0.4


def test_a_fitted_bundle_answers_a_file(tmp_path: Path) -> None:
    files = demo_set("zh")

    fitted = start(tmp_path, "fit", files.train, "--out", "r", *QUICK, "--json").communicate()[0]
    start(tmp_path, "predict", "r", files.test, "-o", "answers.csv").communicate()

    assert json.loads(fitted)["bundle"] == "r/bundle"
    with (tmp_path / "answers.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    right = sum(row["predicted"] == row["intent"] for row in rows)
    assert right > len(rows) / 2


def test_the_same_seed_gives_the_same_model(tmp_path: Path) -> None:
    hashes = []
    for name in ("a", "b"):
        start(tmp_path, "fit", demo_set("zh").train, "--out", name, *QUICK).communicate()
        whole = start(tmp_path, "verify", f"{name}/bundle", "--json").communicate()[0]
        hashes.append(json.loads(whole)["model_sha256"])

    assert hashes[0] == hashes[1]


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_fit_leaves_nothing(tmp_path: Path, ending: signal.Signals) -> None:
    running = start(tmp_path, "fit", demo_set("en").train, "--out", "r", *QUICK)
    assert running.stderr is not None
    running.stderr.readline()  # the first inference is told: the work has begun

    running.send_signal(ending)
    running.communicate()

    assert running.returncode == 130
    assert list(tmp_path.iterdir()) == []
