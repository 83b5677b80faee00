"""Models that write: titles by an adapter, speed when served, translation from scratch.

Run: python bench/generate.py [titles] [speed] [translation] [--data FOLDER] [--rows 600]
     [--test 200] [--epochs 2] [--method lora] [--seconds 420] [--out FOLDER]
titles: smollm2-135m learns the titles of scitldr's abstracts from its training rows and answers
test rows before and after, with the interval of each change; ends with 1 unless loss and ROUGE-L
are better by more than chance. speed: tokens a second of that bundle (CTranslate2, int8, one prompt
at a time on one thread, and eight at once) against the same network in torch (fp32, cache, every
core), on short questions and on abstracts of some 300 tokens, whose reading counts; ends with 1
below three times on the questions, one by one. translation: English to Chinese from scratch on
tatoeba_en_zh, whose test sentences stand nowhere in the training rows; BLEU and chrF. Test files
are read once.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import takeroot

DATA = Path(os.environ.get("TAKEROOT_DATA", Path(__file__).parents[2] / "shared/data"))
PARTS = ("titles", "speed", "translation")
ASKED = "Write a title for this abstract.\n\n"
SPEED_PROMPTS, SPEED_TOKENS, TIMES = 8, 64, 3.0
SUBJECTS = ("a fox", "the sky", "tea", "a river", "old maps", "snow", "bread", "the moon")
NETWORK = {"layers": 3, "hidden": 256, "heads": 4, "intermediate": 512, "vocabulary": 8000}
SCORES = ("loss", "rouge_1", "rouge_2", "rouge_l", "bleu", "chrf", "exact_match")


def titles(data: Path, part: str, most: int) -> list[dict[str, str]]:
    """Prompts with an abstract, and its title, in a random order."""
    lines = (data / "scitldr" / f"{part}.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    random.Random(0).shuffle(rows)
    kept = [row for row in rows if row["title"].strip()][:most]
    return [
        {"prompt": ASKED + " ".join(row["source"]), "response": row["title"].strip()}
        for row in kept
    ]


def sentences(data: Path, test: int) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """English sentences with translations; those to train on, and those of other sentences."""
    text = (data / "tatoeba_en_zh" / "cmn.txt").read_text(encoding="utf-8-sig")
    pairs = [line.split("\t")[:2] for line in text.split("\n") if line.count("\t") == 2]
    sources = sorted({source for source, _ in pairs})
    random.Random(0).shuffle(sources)
    held = set(sources[:test])
    parts: tuple[list[dict[str, str]], list[dict[str, str]]] = ([], [])
    for source, target in pairs:
        parts[source in held].append({"source": source, "target": target})
    return parts


def fitted(name: str, values: dict[str, Any], rows: Any, test: Any, out: Path) -> takeroot.Model:
    """The model a recipe makes; a finished run is not made again."""
    folder = out / name
    if (folder / "bundle").is_dir():
        return takeroot.fit(rows, test=test, resume=folder)
    return takeroot.fit(rows, test=test, recipe=values, out=folder)


def write_titles(options: argparse.Namespace, out: Path) -> tuple[takeroot.Model, bool]:
    """The model, and whether it is better than it was."""
    values = {
        "task": "generate",
        "fit": {"method": options.method, "epochs": options.epochs, "max_tokens": 384},
        "generate": {"max_new_tokens": 40},
        "compress": {"precision": "int8"},
    }
    rows, test = (
        titles(options.data, "train", options.rows),
        titles(options.data, "test", options.test),
    )
    began = time.monotonic()
    model = fitted("titles", values, rows, test, out)
    metrics = json.loads((model.bundle / "evidence" / "metrics.json").read_text(encoding="utf-8"))
    how = f"{options.method}, {options.epochs} passes, {time.monotonic() - began:.0f} s"
    print(f"titles: {len(rows)} rows, {how}")
    better = {}
    for name in SCORES:
        change, (low, high) = metrics["gain"][name]["change"], metrics["gain"][name]["interval"]
        was, now = metrics["before"][name], metrics["test"][name]
        print(f"  {name:12} {was:7.3f} -> {now:7.3f}  {change:+.3f} ({low:+.3f} to {high:+.3f})")
        better[name] = high < 0 if name == "loss" else low > 0
    print(f"  parity {model.summary['parity']}, {model.summary['artifact_mb']} MB", flush=True)
    return model, better["loss"] and better["rouge_l"]


def write_fast(model: takeroot.Model, options: argparse.Namespace) -> bool:
    """Whether the served form writes three times as many tokens a second as torch."""
    import torch

    from takeroot.bundle import load_predictor, open_bundle
    from takeroot.generation.weights import load_network
    from takeroot.models.generator import load_generator

    abstracts = [row["prompt"] for row in titles(options.data, "dev", SPEED_PROMPTS)]
    questions = [f"Tell me a story about {subject}." for subject in SUBJECTS]
    base = load_generator("smollm2-135m", causal=True)
    network: Any = load_network(open_bundle(model.bundle), base).eval()
    network.config._attn_implementation = "sdpa"  # transformers' own choice for writing
    single = load_predictor(model.bundle, threads=1)

    def in_torch(prompt: str) -> int:
        ids = torch.tensor([_ids(base, model, prompt)])
        with torch.inference_mode():
            found = network.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=SPEED_TOKENS,
                do_sample=False,
                pad_token_id=base.config.ends[0],
                eos_token_id=list(base.config.ends),
            )
        return int(found.shape[1] - ids.shape[1])

    def served(by: Any, prompts: list[str]) -> int:
        return sum(each.tokens or 0 for each in by.predict(prompts, max_new_tokens=SPEED_TOKENS))

    fast = False
    for name, prompts in {"questions": questions, "abstracts": abstracts}.items():
        alone = _rate(lambda some=prompts: sum(served(single, [each]) for each in some))
        at_once = _rate(lambda some=prompts: served(model, some))
        plain = _rate(lambda some=prompts: sum(map(in_torch, some)))
        print(
            f"speed, {name}: ctranslate2 {alone:.1f} tokens/s, eight at once {at_once:.1f}, torch "
            f"fp32 {plain:.1f}; {alone / plain:.1f} and {at_once / plain:.1f} times",
            flush=True,
        )
        fast = fast or (name == "questions" and alone >= TIMES * plain)
    return fast


def _rate(run: Any) -> float:
    """Tokens a second of the second call."""
    run()
    began = time.perf_counter()
    return run() / (time.perf_counter() - began)


def _ids(base: Any, model: takeroot.Model, prompt: str) -> list[int]:
    """The token ids of a prompt, as the bundle reads it."""
    from takeroot.bundle.prompts import Prompts

    how = model.spec.generation
    assert how is not None
    return Prompts(base.tokenizer, how, model.spec.max_tokens).encode(prompt).ids


def translate(options: argparse.Namespace, out: Path) -> None:
    """English to Chinese by a network that has seen nothing else."""
    rows, test = sentences(options.data, options.test)
    values = {
        "task": "seq2seq",
        "scratch": NETWORK,
        "fit": {"epochs": 20, "time_limit_s": options.seconds, "dropout": 0.1},
    }
    model = fitted("translation", values, rows, test, out)
    found = json.loads((model.bundle / "evidence" / "metrics.json").read_text(encoding="utf-8"))
    print(f"translation: {len(rows):,} pairs, {options.seconds} s, {len(test)} test pairs")
    for name in SCORES:
        low, high = found["test"]["intervals"][name]
        print(f"  {name:12} {found['test'][name]:7.3f} ({low:.3f} to {high:.3f})")
    for answer, row in zip(model.predict([row["source"] for row in test[:5]]), test, strict=False):
        print(f"  {row['source']} -> {answer.text} (reference: {row['target']})", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("parts", nargs="*", default=list(PARTS))
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--rows", type=int, default=600)
    parser.add_argument("--test", type=int, default=200)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--method", default="lora", help="That learns the titles.")
    parser.add_argument("--seconds", type=float, default=420.0)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    if not options.data.is_dir():
        print(f"{options.data} is not there: nothing is measured")
        return 0
    reached = True
    with tempfile.TemporaryDirectory() as temporary:
        out = options.out or Path(temporary)
        if "titles" in options.parts or "speed" in options.parts:
            model, better = write_titles(options, out)
            reached = better
        if "speed" in options.parts:
            reached = write_fast(model, options) and reached
        if "translation" in options.parts:
            translate(options, out)
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main())
