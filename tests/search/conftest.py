"""Small runs: rows that one word tells apart, an encoder of two random layers, and fits of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from takeroot.data import Example, Span, Table, read_object
from takeroot.models.config import read_config
from takeroot.models.load import build_encoder
from takeroot.recipe import Recipe, from_dict
from takeroot.search import Run, fit_recipe
from takeroot.search.work import Part, Work
from takeroot.tasks import Classify, Task
from takeroot.train import Silent
from takeroot.train.clock import Clock

CUES = {"card": "lost", "code": "pin", "money": "refund"}  # a label, and the word that says it
FILLERS = ("my", "please", "the", "help", "where")


def shop(count: int) -> list[Example]:
    """Short, different texts of the three labels."""
    rows = []
    for number in range(count):
        label = list(CUES)[number % 3]
        words = (FILLERS[number % 5], CUES[label], FILLERS[(number // 5) % 5], str(number))
        rows.append(Example(" ".join(words), label, source=f"rows:{number + 1}"))
    return rows


def _row(example: Example, task: str) -> dict[str, Any]:
    """A row of a task's table, its answer as plain to see as in the others."""
    text, label = example.text, str(example.label)
    if task == "multilabel":
        return {"text": text, "label": [label, "short"] if text.startswith("my") else [label]}
    if task == "pair":
        return {"text": text, "second": CUES[label], "label": label}
    if task == "tag":
        cue = CUES[label]
        start = text.index(cue)
        return {"text": text, "label": [{"start": start, "end": start + len(cue), "label": label}]}
    return {"text": text, "label": label}


@dataclass
class Log:
    """Remembers what it is told; raises at a stage if asked to."""

    stop_at: str = ""
    notes: list[str] = field(default_factory=list)
    stages: set[str] = field(default_factory=set)

    def note(self, message: str) -> None:
        self.notes.append(message)
        self._stop(message)

    def step(self, stage: str, done: int, total: int, figures: Mapping[str, float]) -> None:
        self.stages.add(stage)
        self._stop(stage)

    def _stop(self, place: str) -> None:
        if self.stop_at and place.startswith(self.stop_at):
            raise KeyboardInterrupt


@pytest.fixture(scope="session")
def log() -> type[Log]:
    """A progress that can be asked what it was told."""
    return Log


@pytest.fixture(scope="session")
def shop_examples() -> Callable[[int], list[Example]]:
    """Rows of three labels, for tests below the file level."""
    return shop


@pytest.fixture(scope="session")
def shop_table() -> Callable[..., Table]:
    """``shop_table(30, "pair")`` is 30 rows for a task."""

    def build(count: int = 30, task: str = "classify", name: str = "rows") -> Table:
        return read_object([_row(example, task) for example in shop(count)], name=name)

    return build


@pytest.fixture(scope="session")
def encoder_folder(
    tmp_path_factory: pytest.TempPathFactory, tiny_config: Callable[..., dict[str, Any]]
) -> Path:
    """A saved random encoder that knows the rows' words."""
    folder = tmp_path_factory.mktemp("encoder")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *FILLERS, *CUES.values(), *CUES]
    words += [*(str(number) for number in range(100)), "[MASK]"]
    config = tiny_config(vocab_size=len(words))
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    vocabulary = {word: place for place, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    tokenizer.add_special_tokens(["[CLS]", "[SEP]", "[MASK]"])
    tokenizer.save(str(folder / "tokenizer.json"))
    torch.set_num_threads(1)
    torch.manual_seed(0)
    encoder = build_encoder(*read_config(folder))
    with torch.no_grad():  # large enough weights that texts differ
        for parameter in encoder.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    save_file(encoder.state_dict(), folder / "model.safetensors")
    return folder


@pytest.fixture(scope="session")
def recipe_of(encoder_folder: Path) -> Callable[..., Recipe]:
    """``recipe_of(fit={"seed": 1})`` is a recipe on the small encoder, one field a stage.

    It serves in fp32 unless asked otherwise: measuring int8 takes longer than the rest of a fit.
    """

    def build(**values: Any) -> Recipe:
        settings = {"data": {}, "model": str(encoder_folder), "compress": {"precision": "fp32"}}
        return from_dict({**settings, **values})

    return build


@pytest.fixture(scope="session")
def work_of(recipe_of: Callable[..., Recipe]) -> Callable[..., Work]:
    """The material of rows, judged on ``held`` (default: the last third) after the others."""

    def build(
        rows: Sequence[Example], task: Task | None = None, *, held: Any = None, **values: Any
    ) -> Work:
        every = np.arange(len(rows))
        judge = every[len(rows) * 2 // 3 :] if held is None else np.asarray(held)
        part = Part(np.setdiff1d(every, judge), judge)
        task = task or Classify(tuple(sorted({str(row.label) for row in rows})))
        recipe = recipe_of(**values)
        return Work(recipe, task, tuple(rows), (part,), None, 64, Silent(), Clock(None))

    return build


@pytest.fixture(scope="session")
def fit(
    tmp_path_factory: pytest.TempPathFactory,
    shop_table: Callable[..., Table],
    recipe_of: Callable[..., Recipe],
) -> Callable[..., Run]:
    """``fit("pair", fit={...})`` fits 30 rows once a session for the same arguments."""
    done: dict[str, Run] = {}

    def run(task: str = "classify", **values: Any) -> Run:
        key = json.dumps([task, values], sort_keys=True)
        if key not in done:
            data = {"second": "second"} if task == "pair" else {}
            recipe = recipe_of(task=task, data=data, **values)
            table, test = shop_table(30, task), shop_table(12, task, "test")
            out = tmp_path_factory.mktemp("run") / "out"
            done[key] = fit_recipe(recipe, out, table=table, test=test)
        return done[key]

    return run


@pytest.fixture(scope="session")
def cue_span() -> Callable[[Example], Span]:
    """Where the word stands that says a row's label."""

    def find(example: Example) -> Span:
        cue = CUES[str(example.label)]
        start = example.text.index(cue)
        return Span(start, start + len(cue), str(example.label))

    return find
