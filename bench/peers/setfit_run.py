"""SetFit on few labels: accuracy with its default head and with a tuned one, and seconds.

Run by bench/few_labels.py --setfit PYTHON, in an environment of SetFit's own:
  python setfit_run.py TRAIN.csv TEST.csv MODEL_FOLDER [--iterations 5] [--steps N] [--seed 0]
One training of the sentence encoder serves both heads: logistic regression with C = 1, SetFit's
default, and C = 30, the best of 1, 10, 30 and 100 for the frozen encoder. With --steps, SetFit's
default sampling (every pair) is only begun, and its time is said for all of its steps.
Prints one JSON object.
"""

from __future__ import annotations

import argparse
import csv
import json
import time

from datasets import Dataset
from setfit import SetFitModel, Trainer, TrainingArguments
from setfit.sampler import ContrastiveDataset
from sklearn.linear_model import LogisticRegression

BATCH = 16
HEADS = (1.0, 30.0)


def main() -> None:
    """Train once, solve both heads."""
    parser = argparse.ArgumentParser()
    parser.add_argument("train")
    parser.add_argument("test")
    parser.add_argument("model")
    parser.add_argument("--iterations", type=int)
    parser.add_argument("--steps", type=int, default=-1)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    (texts, labels), (judged, gold) = read(given.train), read(given.test)
    numbers = {label: number for number, label in enumerate(sorted(set(labels)))}
    train = Dataset.from_dict({"text": texts, "label": [numbers[label] for label in labels]})
    model = SetFitModel.from_pretrained(given.model)
    settings = TrainingArguments(
        batch_size=BATCH,
        num_epochs=1,
        num_iterations=given.iterations,
        max_steps=given.steps,
        seed=given.seed,
        report_to="none",
        save_strategy="no",
        show_progress_bar=False,
    )
    trainer = Trainer(model=model, args=settings, train_dataset=train)
    begun = time.perf_counter()
    trainer.train()
    seconds = time.perf_counter() - begun
    found: dict[str, float] = {"seconds": seconds}
    if given.steps > 0:
        every = ContrastiveDataset(
            train["text"], train["label"], multilabel=False, num_iterations=None
        )
        found["steps"] = -(-len(every) // BATCH)
        found["seconds"] = seconds / given.steps * found["steps"]
    else:
        vectors, tested = model.model_body.encode(texts), model.model_body.encode(judged)
        for c in HEADS:
            head = LogisticRegression(C=c, max_iter=1000).fit(vectors, labels)
            found[f"accuracy, C = {c:g}"] = 100 * head.score(tested, gold)
    print(json.dumps(found))


def read(path: str) -> tuple[list[str], list[str]]:
    """Texts and labels of a csv file."""
    with open(path, encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    return [row["text"] for row in rows], [row["category"] for row in rows]


if __name__ == "__main__":
    main()
