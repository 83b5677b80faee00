"""Tiny random models that write, and a few rows to learn."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from folders import CAUSAL, model_folder

from takeroot import recipe
from takeroot.models.generator import PretrainedGenerator, load_generator
from takeroot.recipe import Recipe

Build = Callable[..., Any]
ASKED = ["hello", "world", "my parcel", "where is", "refund", "user", "system", "parcel hello"]
ANSWERED = ["world", "hello", "is where", "my parcel", "my", "system", "user", "hello parcel"]


@pytest.fixture
def pretrained(tmp_path: Path) -> Build:
    """A family's model, loaded."""

    def build(family: str = "llama", **changes: Any) -> PretrainedGenerator:
        place = model_folder(tmp_path / family, family, **changes)
        return load_generator(str(place), causal=family in CAUSAL)

    return build


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty prompts with responses."""
    path = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    pairs = [(f"{a} {n}", b) for n in range(5) for a, b in zip(ASKED, ANSWERED, strict=True)]
    lines = [json.dumps({"prompt": a, "response": b}) for a, b in pairs]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def recipe_for(rows: Path, tmp_path_factory: pytest.TempPathFactory) -> Build:
    """A recipe for a family that takes seconds."""

    def build(family: str = "llama", fit: dict[str, Any] | None = None, **parts: Any) -> Recipe:
        model = "scratch"
        if family != "scratch":
            model = str(model_folder(tmp_path_factory.mktemp("models") / family, family))
        settings = {"epochs": 2, "batch_size": 16, "precision": "fp32", "learning_rate": 0.003}
        values: dict[str, Any] = {
            "task": "generate" if family in CAUSAL else "seq2seq",
            "model": model,
            "data": {"path": str(rows), "valid_share": 0.2},
            "fit": settings | (fit or {}),
        }
        return recipe.from_dict({**values, **parts})

    return build
