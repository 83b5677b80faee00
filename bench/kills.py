"""Kill fits at random moments, go on with them, and count how many end in the same model.

    OMP_NUM_THREADS=1 python bench/kills.py --kills 20    # a small random encoder, made here
    python bench/kills.py --kills 20 --model minilm-l6    # the packaged encoder

A fit of a demo set is run once undisturbed; then, for each kill, the same fit is started, killed
with SIGKILL at a random moment of the undisturbed one's duration, and gone on with by
``takeroot fit --resume`` until it ends. The models' sha256 must be the same. Each is a process of
its own, forked from this one, so that torch is imported once.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import takeroot.search  # noqa: F401  torch and all, which each process would have to import
from takeroot.bundle import open_bundle
from takeroot.cli import main as command
from takeroot.demo import demo_set

SETTINGS = (
    *("fit.method=full", "fit.preset=fast", "fit.dropout=0.1", "fit.patience=2"),
    *("fit.epochs=3", "compress.precision=fp32", "abstain.method=none"),
)
LAYERS, HIDDEN = 2, 64


def make_encoder(folder: Path, texts: list[str]) -> None:
    """A random encoder that knows the words of some texts."""
    import torch
    from safetensors.torch import save_file
    from tokenizers import BertWordPieceTokenizer

    from takeroot.models.config import read_config
    from takeroot.models.load import build_encoder

    folder.mkdir()
    tokenizer = BertWordPieceTokenizer()
    tokenizer.train_from_iterator(texts, vocab_size=1000, show_progress=False)
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "model_type": "bert",
        "vocab_size": tokenizer.get_vocab_size(),
        "hidden_size": HIDDEN,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": 2,
        "intermediate_size": 2 * HIDDEN,
        "max_position_embeddings": 64,
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-12,
        "type_vocab_size": 2,
    }
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    torch.manual_seed(0)
    save_file(build_encoder(*read_config(folder)).state_dict(), folder / "model.safetensors")


def fit(*words: object) -> int:
    """The process id of a running ``takeroot fit``; what it says goes to this one's log."""
    child = os.fork()
    if not child:
        os.dup2(2, 1)
        os._exit(command(["fit", *map(str, words), "--json"]))
    return child


def ended(child: int) -> int | None:
    """How a process ended; None while it runs."""
    found, status = os.waitpid(child, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if found else None


def sha256_of(out: Path) -> str:
    """What determines the answers of a run's model, as one hash."""
    return open_bundle(out / "bundle").manifest.model_sha256


def measured(out: Path) -> object:
    """What a run found out about the machine, and decided by."""
    return json.loads((out / "run.json").read_text(encoding="utf-8"))["measured"]


def finish(start: list[object], out: Path) -> int:
    """Go on until the run has ended; how many processes that took."""
    for attempt in range(1, 4):
        words = ["--resume", out] if (out / "run.json").is_file() else start
        if os.waitstatus_to_exitcode(os.waitpid(fit(*words), 0)[1]) == 0:
            return attempt
    raise SystemExit(f"{out}: could not be gone on with")


def place_of(out: Path) -> str:
    """How far a killed run had come."""
    if not (out / "run.json").is_file():
        return "before run.json"
    if (out / "bundle").is_dir():
        return "after the bundle"
    states = sorted((out / "checkpoints").glob("*/*"))
    if not states:
        return "before the first checkpoint"
    half = " (half-written)" if any(".partial-" in path.name for path in states) else ""
    return f"in or after {states[-1].parent.name}{half}"


def undisturbed(start: list[object], out: Path) -> tuple[float, str]:
    """How many seconds the fit takes, and the hash it ends in."""
    began = time.monotonic()
    finish([*start, out], out)
    return time.monotonic() - began, sha256_of(out)


def killed(start: list[object], out: Path, moment_s: float) -> str:
    """Start the fit and kill it at a moment; how far it had come."""
    child, end_s = fit(*start, out), time.monotonic() + moment_s
    while ended(child) is None:
        if time.monotonic() >= end_s:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            break
        time.sleep(0.002)
    return place_of(out)


def prepare(folder: Path, asked: argparse.Namespace) -> list[object]:
    """The fit's command line, but for the run's folder."""
    data, model = demo_set("en").train, asked.model or folder / "encoder"
    if asked.model is None and not (child := os.fork()):  # threads of torch do not survive a fork
        with Path(data).open(encoding="utf-8", newline="") as file:
            make_encoder(folder / "encoder", [row["text"] for row in csv.DictReader(file)])
        os._exit(0)
    elif asked.model is None:
        os.waitpid(child, 0)
    settings = [*SETTINGS, f"fit.checkpoint_s={asked.checkpoint_s}"]
    return [
        data,
        "--model",
        model,
        *(word for each in settings for word in ("--set", each)),
        "--out",
    ]


def main() -> None:
    """Print a line a kill, and how many models are the same."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--model", help="instead of a small random encoder")
    parser.add_argument("--checkpoint-s", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # or it warns of the forks
    dice, same, places = random.Random(asked.seed), 0, Counter[str]()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        start = prepare(folder, asked)
        whole = folder / "whole"
        seconds, wanted = undisturbed(start, whole)
        print(f"undisturbed: {seconds:.1f} s, sha256 {wanted[:12]}", flush=True)
        for number in range(asked.kills):
            out, moment_s = folder / f"kill-{number}", dice.uniform(0, seconds)
            place = killed(start, out, moment_s)
            attempts = finish([*start, out], out)
            found = sha256_of(out)
            same += found == wanted
            places[place] += 1
            line = f"{place}: sha256 {found[:12]}, resumed {attempts} times"
            if found != wanted:
                line += f"; {measured(out)} was measured, of the undisturbed {measured(whole)}"
            print(f"killed at {moment_s:5.1f} s, {line}", flush=True)
    print(json.dumps({"kills": asked.kills, "same_sha256": same, "places": dict(places)}))
    sys.exit(same != asked.kills)


if __name__ == "__main__":
    main()
