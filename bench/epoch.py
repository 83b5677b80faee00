"""Seconds an epoch of banking77 takes: takeroot's loop beside the transformers Trainer.

Run: python bench/epoch.py [--steps 40] [--rounds 3] [--padded]
Each side trains all of minilm-l6 for so many steps in a process of its own, in turns, and its
seconds a row make an epoch of the 10,003 rows. The Trainer (fp32, AdamW, batches of 32) pads each
batch to its longest row; with --padded also all to 128 tokens, as much code in use does. takeroot
trains as ``fit`` does with its defaults. Beside it, takeroot in fp32 with every parameter trained,
so that what its format and its frozen tables save can be told from the rest.
The data set is looked for in TAKEROOT_DATA, or in shared/data beside the repository.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("TAKEROOT_DATA", ROOT.parent / "shared/data")) / "banking77"
SIDES = ("takeroot", "takeroot fp32, all parameters", "Trainer")
PADDED = "Trainer, padded to 128"
RATE = 1e-4


def main() -> None:
    """Print a row a side."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--padded", action="store_true")
    parser.add_argument("--side", choices=[*SIDES, PADDED], help="Only this one, in this process.")
    given = parser.parse_args()
    if not (DATA / "train.csv").exists():
        print("skipped: banking77 is not in TAKEROOT_DATA or ../shared/data")
        return
    if given.side is not None:
        print(json.dumps(measure(given.side, given.steps)))
        return
    sides = (*SIDES, PADDED) if given.padded else SIDES
    found: dict[str, list[float]] = {side: [] for side in sides}
    for number in range(given.rounds):
        for side in sides:
            found[side].append(apart(side, given.steps))
            print(f"round {number + 1}: {side} {found[side][-1]:.0f} s", file=sys.stderr)
    reference = statistics.median(found["takeroot"])
    print("seconds an epoch: median (smallest to largest), times takeroot's")
    for side, seconds in found.items():
        middle = statistics.median(seconds)
        spread = f"({min(seconds):.0f} to {max(seconds):.0f})"
        print(f"{side:32} {middle:6.0f} {spread:16} {middle / reference:5.2f}")


def apart(side: str, steps: int) -> float:
    """Seconds an epoch, measured in a process of its own."""
    call = [sys.executable, __file__, "--side", side, "--steps", str(steps)]
    done = subprocess.run(call, stdout=subprocess.PIPE, text=True, check=True)
    return float(json.loads(done.stdout.splitlines()[-1]))


def measure(side: str, steps: int) -> float:
    """Seconds an epoch."""
    with (DATA / "train.csv").open(encoding="utf-8", newline="") as stream:
        rows = [(row["text"], row["category"]) for row in csv.DictReader(stream)]
    if side.startswith("takeroot"):
        return ours(rows, steps, plain="fp32" in side)
    return theirs(rows, steps, padded=side == PADDED)


def ours(rows: list[tuple[str, str]], steps: int, plain: bool) -> float:
    """Takeroot's loop, with fit's settings or with the Trainer's."""
    import torch

    from takeroot.data import Example
    from takeroot.models.load import load
    from takeroot.search import probe as probes
    from takeroot.search.finetune import BATCH, MASKED
    from takeroot.tasks import Classify, encode_examples
    from takeroot.train import Labelled, TrainConfig, train
    from takeroot.train import precision as precisions
    from takeroot.train.masking import masking_for

    torch.manual_seed(0)
    pretrained = load("minilm-l6")
    task = Classify(tuple(sorted({label for _, label in rows})), smoothing=0.1)
    examples = [Example(text=text, label=label, source="") for text, label in rows]
    encoded = encode_examples(task, pretrained.tokenizer, examples, 64).rows
    model = probes.build(pretrained, task)
    model.encoder.embeddings.requires_grad_(plain)
    batch = 32 if plain else BATCH
    config = TrainConfig(
        epochs=steps * batch / len(rows),
        learning_rate=RATE,
        batch_size=batch,
        precision=torch.float32 if plain else precisions.choose(),
    )
    masking = None if plain else masking_for(pretrained.tokenizer, MASKED)
    begun = time.perf_counter()
    train(model, Labelled(task, masking), encoded, config)
    return (time.perf_counter() - begun) / (steps * batch) * len(rows)


def theirs(rows: list[tuple[str, str]], steps: int, padded: bool) -> float:
    """The transformers Trainer, padding each batch to its longest row or all to 128."""
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        DataCollatorWithPadding,
        Trainer,
        TrainingArguments,
    )

    from takeroot.models.packaged import locate

    folder = locate("minilm-l6")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    names = sorted({label for _, label in rows})
    options: dict[str, Any] = {"padding": "max_length"} if padded else {}
    encoded = tokenizer([text for text, _ in rows], truncation=True, max_length=128, **options)
    dataset = [
        {**{key: encoded[key][k] for key in encoded}, "labels": names.index(label)}
        for k, (_, label) in enumerate(rows)
    ]
    model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=len(names))
    with tempfile.TemporaryDirectory() as out:
        settings = TrainingArguments(
            output_dir=out,
            max_steps=steps,
            per_device_train_batch_size=32,
            learning_rate=RATE,
            report_to="none",
            save_strategy="no",
            disable_tqdm=True,
            use_cpu=True,
            seed=0,
        )
        collator = DataCollatorWithPadding(tokenizer)
        trainer = Trainer(model=model, args=settings, train_dataset=dataset, data_collator=collator)
        begun = time.perf_counter()
        trainer.train()
    return (time.perf_counter() - begun) / (steps * 32) * len(rows)


if __name__ == "__main__":
    main()
