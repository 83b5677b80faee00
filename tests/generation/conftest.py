"""Folders of tiny random models that write, and a few rows to learn."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import writers
from safetensors.torch import save_file

from takeroot import recipe
from takeroot.models.generator import PretrainedGenerator, load_generator
from takeroot.recipe import Recipe

Build = Callable[..., Any]
TEMPLATE = (  # as Qwen's and SmolLM's are
    "{% for message in messages %}{% if loop.first and message['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou help.<|im_end|>\n' }}{% endif %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
ASKED = ["hello", "world", "my parcel", "where is", "refund", "user", "system", "parcel hello"]
ANSWERED = ["world", "hello", "is where", "my parcel", "my", "system", "user", "hello parcel"]
FAMILIES = {
    "llama": (writers.llama, writers.byte_tokenizer),
    "t5": (writers.t5, writers.piece_tokenizer),
    "bart": (writers.bart, writers.piece_tokenizer),
}


@pytest.fixture
def template() -> str:
    """The Llama folder's chat template."""
    return TEMPLATE


@pytest.fixture
def folder(tmp_path: Path) -> Build:
    """Writes a family's model into a folder."""

    def build(family: str = "llama", template: str | None = TEMPLATE, **changes: Any) -> Path:
        make, tokenizer = FAMILIES[family]
        network, place = make(), tmp_path / family
        place.mkdir()
        config = network.config.to_dict() | changes
        (place / "config.json").write_text(json.dumps(config, default=str), encoding="utf-8")
        named = {name: p.detach().contiguous() for name, p in network.named_parameters()}
        save_file(named, place / "model.safetensors")
        tokenizer().save(str(place / "tokenizer.json"))
        if family == "llama" and template is not None:
            settings = json.dumps({"chat_template": template})
            (place / "tokenizer_config.json").write_text(settings, encoding="utf-8")
        return place

    return build


@pytest.fixture
def pretrained(folder: Build) -> Build:
    """A family's model, loaded."""

    def build(family: str = "llama", **changes: Any) -> PretrainedGenerator:
        place = folder(family, **changes)
        return load_generator(str(place), causal=family == "llama")

    return build


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """Forty prompts with responses."""
    path = tmp_path / "rows.jsonl"
    pairs = [(f"{a} {n}", b) for n in range(5) for a, b in zip(ASKED, ANSWERED, strict=True)]
    lines = [json.dumps({"prompt": a, "response": b}) for a, b in pairs]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


@pytest.fixture
def recipe_for(folder: Build, rows: Path) -> Build:
    """A recipe for a family that takes seconds."""

    def build(family: str = "llama", fit: dict[str, Any] | None = None, **parts: Any) -> Recipe:
        model = "scratch" if family == "scratch" else str(folder(family))
        settings = {"epochs": 2, "batch_size": 16, "precision": "fp32", "learning_rate": 0.003}
        values: dict[str, Any] = {
            "task": "generate" if family == "llama" else "seq2seq",
            "model": model,
            "data": {"path": str(rows), "valid_share": 0.2},
            "fit": settings | (fit or {}),
        }
        return recipe.from_dict({**values, **parts})

    return build
