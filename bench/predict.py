"""Batch-file prediction against the bare engine, and whether answers depend on their neighbours.

Run: python bench/predict.py [--bundle FOLDER] [--texts FILE.csv] [--rows 10000] [--rounds 3]
Without a bundle, the packaged encoder is exported in int8 with a random head: how fast it is
does not depend on training. All of the texts are run one by one and in random packings; for the
rates they are repeated up to the number of rows. Prints one table; ends with 1 if a figure is not
reached.
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import onnxruntime

from takeroot.answers import answer_table
from takeroot.bundle import Bundle, BundleWriter, Predictor, Spec, open_bundle
from takeroot.bundle.cores import usable_cores
from takeroot.bundle.decode import probabilities
from takeroot.bundle.packing import flatten, pack, plan
from takeroot.bundle.tokens import encode, load_tokenizer
from takeroot.data import read

RATIO = 0.85  # of the bare engine's rate
CLOSE = 1e-3  # change of a probability that is let pass
SHARE = 0.999  # of rows that must be that close
REPLAYED = 3000  # demo texts run alone and in random packings
PACKINGS = 5
LABELS = 77


def demo_bundle(folder: Path) -> Bundle:
    """The packaged encoder with a random head, in int8."""
    import torch

    from takeroot.export.graph import export_graph
    from takeroot.export.quantize import quantize
    from takeroot.models.load import load
    from takeroot.models.text_model import TextModel

    torch.manual_seed(0)
    pretrained = load("minilm-l6")
    head = torch.nn.Linear(pretrained.hidden_size, LABELS)
    types = pretrained.architecture.token_types
    model = TextModel(pretrained.encoder, head, pooled=True, token_types=types).eval()
    tokenizer = pretrained.tokenizer.to_str().encode()
    flat = flatten(encode(load_tokenizer(tokenizer), demo_texts(400), max_tokens=64).ids)
    packs = [pack(flat, *span) for span in plan(flat.starts, 96)]
    spec = Spec(
        name="bench",
        task="classify",
        labels=tuple(f"label {number}" for number in range(LABELS)),
        runtime="onnx",
        precision="int8",
        token_types=types,
    )
    with BundleWriter(folder, created="now") as writer:
        writer.write_spec(spec)
        writer.write_bytes("tokenizer.json", tokenizer)
        writer.write_bytes("model.onnx", quantize(export_graph(model), packs))
    return open_bundle(folder)


def demo_texts(count: int) -> list[str]:
    """``count`` short messages of customers."""
    path = files("takeroot.demo") / "support_en_train.csv"
    with path.open(encoding="utf-8", newline="") as file:
        texts = [row["text"] for row in csv.DictReader(file)]
    return [texts[number % len(texts)] for number in range(count)]


def texts_of(path: Path) -> list[str]:
    """The column ``text`` of a csv file."""
    with path.open(encoding="utf-8", newline="") as file:
        return [row["text"] for row in csv.DictReader(file)]


def bare(bundle: Bundle, texts: list[str]) -> Callable[[], None]:
    """Runs packs made beforehand: nothing but onnxruntime, one single-thread session a core."""
    spec = bundle.spec
    tokenizer = load_tokenizer(bundle.read("tokenizer.json"))
    ids = encode(tokenizer, texts, max_tokens=spec.max_tokens).ids
    flat = flatten(ids, None, spec.position_offset)
    packs = [pack(flat, *span) for span in plan(flat.starts, spec.pack_tokens)]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    cores = usable_cores()
    sessions = [
        onnxruntime.InferenceSession(
            bundle.read("model.onnx"), options, providers=["CPUExecutionProvider"]
        )
        for _ in range(cores)
    ]
    names = {value.name for value in sessions[0].get_inputs()}
    feeds = [{name: array for name, array in each.items() if name in names} for each in packs]

    def work(number: int) -> None:
        for feed in feeds[number::cores]:
            sessions[number].run(None, feed)

    def run() -> None:
        with ThreadPoolExecutor(cores) as pool:
            list(pool.map(work, range(cores)))

    return run


def seconds(run: Callable[[], object]) -> float:
    """How long it takes."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def rates(bundle: Bundle, texts: list[str], rounds: int, folder: Path) -> tuple[float, float]:
    """Texts a second of the bare engine and of file to file, medians of alternating rounds."""
    source = folder / "texts.csv"
    with source.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["text"], *([text] for text in texts)])
    predictor, engine = Predictor(bundle), bare(bundle, texts)
    predictor.predict(texts[:200])

    def ours() -> None:
        answer_table(predictor, read(source), folder / "answers.csv", text="text")

    pairs = [(seconds(engine), seconds(ours)) for _ in range(rounds)]
    engine_s, ours_s = np.median(pairs, axis=0)
    return len(texts) / engine_s, len(texts) / ours_s


def neighbours(bundle: Bundle, texts: list[str]) -> tuple[int, float]:
    """Labels that differ, and share of close rows, between texts alone and in random packings."""
    predictor = Predictor(bundle)
    alone = np.concatenate([np.asarray(predictor.outputs([text]).logits) for text in texts])
    expected = probabilities(bundle.spec, alone)
    random = np.random.default_rng(0)
    differ, close = 0, []
    for _ in range(PACKINGS):
        order = random.permutation(len(texts))
        logits = predictor.outputs([texts[number] for number in order]).logits
        found = probabilities(bundle.spec, np.asarray(logits))
        differ += int((found.argmax(axis=1) != expected[order].argmax(axis=1)).sum())
        close.append(np.abs(found - expected[order]).max(axis=1) <= CLOSE)
    return differ, float(np.concatenate(close).mean())


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", type=Path)
    parser.add_argument("--texts", type=Path, help="A csv with a column text; else demo texts.")
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    texts = demo_texts(REPLAYED) if asked.texts is None else texts_of(asked.texts)
    repeated = list(islice(cycle(texts), asked.rows))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bundle = open_bundle(asked.bundle) if asked.bundle else demo_bundle(folder / "bundle")
        engine, ours = rates(bundle, repeated, asked.rounds, folder)
        differ, close = neighbours(bundle, texts)
    rows = [
        ("bare onnxruntime, texts/s", f"{engine:.0f}", "", True),
        ("file to file, texts/s", f"{ours:.0f}", "", True),
        ("file to file / bare", f"{ours / engine:.3f}", f">= {RATIO}", ours >= RATIO * engine),
        (f"labels that differ, {PACKINGS} packings", f"{differ}", "0", differ == 0),
        (f"rows within {CLOSE:g}", f"{close:.5f}", f">= {SHARE}", close >= SHARE),
    ]
    for what, figure, wanted, good in rows:
        print(f"{what:34s} {figure:>9s}  {wanted:9s} {'' if good else 'NOT REACHED'}")
    return 0 if all(good for *_, good in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
