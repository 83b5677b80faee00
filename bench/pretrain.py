"""A small Chinese encoder from unlabelled text, against the same network without it and TF-IDF.

Run: python bench/pretrain.py [--data FOLDER] [--model FOLDER] [--seconds 480,960] [--seeds 0,1,2]
The texts are those of the Chinese sets of the data folder: training and development parts only, no
title or abstract of the test rows. An encoder is made from all of them, then goes on with the
scientific ones; --model takes a finished one instead. 50 and 500 labelled titles a seed are drawn
from the training rows of csl_category_zh; every method trains on them and answers the 1,000 test
titles once. Prints one table; ends with 1 if the encoder does not gain 8 points over the same
network without pretraining at 500 labels, or stays below TF-IDF.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import re
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import takeroot

DATA = Path(os.environ.get("TAKEROOT_DATA", Path(__file__).parents[2] / "shared/data"))
ASIDE = 1000  # training titles kept from the encoder, to choose settings by
LABELS = (50, 500)
GAIN = 0.08  # over the same network without pretraining, at the larger number of labels
TOKENIZER = {"kind": "unigram", "vocabulary": 8000}
NETWORK = {"layers": 4, "hidden": 256, "heads": 4, "positions": 128}
PAIRS = {"pairs": "contrast", "max_tokens": 128}
EVERYTHING = "everything"  # embeddings, too, which fit leaves as they are
METHODS = {  # name in the table: method, and whether it reads the pretrained network
    "tfidf": ("tfidf", None),
    "frozen, not pretrained": ("probe", False),
    "fine-tuned, not pretrained": ("full", False),
    "all weights trained, not pretrained": (EVERYTHING, False),
    "frozen, pretrained": ("probe", True),
    "fine-tuned, pretrained": ("full", True),
}


def lines(path: Path) -> list[list[str]]:
    """The columns of every line; only line feeds end one."""
    whole = path.read_text(encoding="utf-8-sig").split("\n")
    return [line.split("\t") for line in whole if "\t" in line]


def titles(data: Path, part: str) -> list[tuple[str, str]]:
    """Title and category of every row."""
    return [(title, label) for _, title, label in lines(data / "csl_category_zh" / f"{part}.tsv")]


def aside(count: int) -> np.ndarray:
    """Numbers of the training titles that the encoder does not see."""
    return np.random.RandomState(123).permutation(count)[:ASIDE]


def scientific(data: Path) -> Iterator[str]:
    """Titles of training rows; titles and abstracts of the development rows."""
    rows = titles(data, "train")
    hidden = set(aside(len(rows)).tolist())
    yield from (title for number, (title, _) in enumerate(rows) if number not in hidden)
    for _, abstract, title in lines(data / "csl_title_zh" / "dev.tsv"):
        yield f"{title} {abstract}"


def general(data: Path) -> Iterator[str]:
    """Sentences, posts, paragraphs and dialogues of the other sets."""
    yield from (columns[1] for columns in lines(data / "tatoeba_en_zh" / "cmn.txt"))
    with (data / "cold_offensive_zh" / "dev.csv").open(encoding="utf-8-sig", newline="") as file:
        yield from (row["TEXT"] for row in csv.DictReader(file))
    with (data / "pawsx_zh" / "dev_2k.tsv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            yield from (row["sentence1"], row["sentence2"])
    posts = (data / "weibo_ner_zh" / "weiboNER_2nd_conll.train").read_text(encoding="utf-8")
    for post in posts.split("\n\n"):
        yield "".join(line[0] for line in post.splitlines() if line.strip())
    squad = json.loads((data / "xquad_en_zh" / "xquad.zh.json").read_text(encoding="utf-8"))
    for part in (part for article in squad["data"] for part in article["paragraphs"]):
        yield " ".join([part["context"], *(asked["question"] for asked in part["qas"])])
    with zipfile.ZipFile(data / "crosswoz_zh" / "val.json.zip") as packed:
        dialogues = json.loads(packed.read(packed.namelist()[0]))
    for each in dialogues.values():
        yield " ".join(message["content"] for message in each["messages"])


def write_texts(path: Path, texts: Iterator[str]) -> Path:
    """A text a line."""
    path.write_text("".join(re.sub(r"\s+", " ", t) + "\n" for t in texts), encoding="utf-8")
    return path


def pretrained(data: Path, work: Path, seconds: list[int]) -> str:
    """The folder of the encoder: from scratch on all texts, then on the scientific ones."""
    paths = [str(write_texts(work / "scientific.txt", scientific(data)))]
    first = {"epochs": 1, "time_limit_s": seconds[0], **PAIRS}
    everything = [*paths, str(write_texts(work / "general.txt", general(data)))]
    recipe = {"data": {"paths": everything}, "tokenizer": TOKENIZER, "network": NETWORK}
    start = takeroot.pretrain({**recipe, "pretrain": first}, out=work / "first")
    on = {"epochs": 12, "time_limit_s": seconds[1], "learning_rate": 5e-4, **PAIRS}
    going_on = {"data": {"paths": paths}, "model": start["model"], "pretrain": on}
    done = takeroot.pretrain(going_on, out=work / "second")
    for name, each in (("all texts", start), ("scientific", done)):
        told = f"{each['before']['perplexity']:.0f} to {each['after']['perplexity']:.0f}"
        print(f"{name}: {each['tokens']['train']:,} tokens, held-out perplexity {told}", flush=True)
    return str(done["model"])


def untrained(model: str, work: Path) -> str:
    """The same network with random weights, and the same tokenizer."""
    import torch
    from safetensors.torch import save_file

    from takeroot.models.config import read_config
    from takeroot.models.load import build_encoder

    folder = work / "untrained"
    folder.mkdir()
    for name in ("config.json", "tokenizer.json"):
        (folder / name).write_bytes((Path(model) / name).read_bytes())
    torch.manual_seed(0)
    save_file(build_encoder(*read_config(folder)).state_dict(), folder / "model.safetensors")
    return str(folder)


def accuracy(
    rows: list[dict[str, str]],
    test: list[dict[str, str]],
    method: str,
    model: str | None,
    out: Path,
) -> float:
    """On the test rows; those whose label no training row has are wrong by all methods."""
    known = {row["label"] for row in rows}
    asked = [row for row in test if row["label"] in known]
    settings = {"abstain": {"method": "none"}, "compress": {"precision": "fp32"}}
    recipe = {"fit": {"method": method, "preset": "fast"}, **settings}
    made = takeroot.fit(
        rows, test=asked, text="text", label="label", model=model, recipe=recipe, out=out
    )
    return float(made.summary["test"]["accuracy"]) * len(asked) / len(test)


def everything_accuracy(
    rows: list[dict[str, str]], test: list[dict[str, str]], model: str
) -> float:
    """The same of a network of which every weight is trained, as one from scratch would be."""
    from takeroot.data import Example
    from takeroot.models.load import load
    from takeroot.models.text_model import TextModel
    from takeroot.tasks import Classify, encode_examples
    from takeroot.train import Labelled, TrainConfig, precision, train
    from takeroot.train.outputs import network_outputs

    task = Classify(tuple(sorted({row["label"] for row in rows})))
    start = load(model)
    head = task.head(start.hidden_size)
    network = TextModel(start.encoder, head, pooled=True, token_types=True)
    found, asked = (
        [Example(row["text"], row["label"]) for row in part if row["label"] in task.labels]
        for part in (rows, test)
    )
    encoded = encode_examples(task, start.tokenizer, found, 48).rows
    config = TrainConfig(
        epochs=15,
        learning_rate=5e-4,
        head_learning_rate=5e-3,
        average=0.9,
        precision=precision.choose("auto"),
    )
    train(network, Labelled(task), encoded, config)
    answers = encode_examples(task, start.tokenizer, asked, 48)
    logits = np.asarray(network_outputs(network, answers).logits)
    return float((logits.argmax(axis=1) == task.targets(asked)).sum()) / len(test)


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--model", help="a finished encoder")
    parser.add_argument("--seconds", default="480,960", help="for each of the two pretrainings")
    parser.add_argument("--seeds", default="0,1,2")
    options = parser.parse_args()
    if not (options.data / "csl_category_zh").is_dir():
        print(f"left out: {options.data} has no csl_category_zh")
        return 0
    rows = [{"text": title, "label": label} for title, label in titles(options.data, "train")]
    test = [{"text": title, "label": label} for title, label in titles(options.data, "test")]
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        seconds = [int(value) for value in options.seconds.split(",")]
        model = options.model or pretrained(options.data, work, seconds)
        bare = untrained(model, work)
        folders: dict[bool | None, str | None] = {None: None, True: model, False: bare}
        found: dict[tuple[str, int], list[float]] = {}
        for count in LABELS:
            for seed in map(int, options.seeds.split(",")):
                drawn = np.random.RandomState(seed).choice(len(rows), count, replace=False)
                for name, (method, kind) in METHODS.items():
                    out = work / f"{count}-{seed}-{method}-{kind}"
                    few = [rows[number] for number in drawn]
                    if method == EVERYTHING:
                        value = everything_accuracy(few, test, bare)
                    else:
                        value = accuracy(few, test, method, folders[kind], out)
                    found.setdefault((name, count), []).append(value)
                    print(f"{count} labels, seed {seed}, {name}: {100 * value:.1f}", flush=True)
    return judged(found)


def judged(found: dict[tuple[str, int], list[float]]) -> int:
    """Print the means; 0 where the aims are met."""
    print("\n| method | " + " | ".join(f"{count} labels" for count in LABELS) + " |")
    print("|---|" + "---|" * len(LABELS))
    for name in METHODS:
        cells = [found[name, count] for count in LABELS]
        shown = [f"{100 * np.mean(each):.1f} ± {100 * np.std(each):.1f}" for each in cells]
        print(f"| {name} | " + " | ".join(shown) + " |")
    many = {name: float(np.mean(found[name, LABELS[-1]])) for name in METHODS}
    best = {
        kind: max(many[n] for n, (_, k) in METHODS.items() if k is kind) for kind in (True, False)
    }
    met = best[True] - best[False] >= GAIN and best[True] >= many["tfidf"]
    print(f"gain {100 * (best[True] - best[False]):.1f} points, aim {100 * GAIN:.0f}: {met}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
