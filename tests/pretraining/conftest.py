"""Small corpora, and pretrainings of them that take seconds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from takeroot.pretraining import Pretrained, pretrain_recipe
from takeroot.recipe import PretrainRecipe, from_dict_of

SUBJECTS = ("我们", "学生", "老师", "工程师")
VERBS = ("研究", "学习", "设计")
OBJECTS = ("飞行器", "控制器", "数学模型", "汉语语法")


def sentences() -> list[str]:
    """Different Chinese sentences in which each part says something about the next."""
    found = []
    for number in range(120):
        subject, verb = SUBJECTS[number % 4], VERBS[number // 4 % 3]
        thing = OBJECTS[(number % 4 + number // 4) % 4]
        found.append(f"{subject}在{number}号楼{verb}{thing}，然后写report {number}。")
    return found


@pytest.fixture
def chinese_file(tmp_path: Path) -> Path:
    """A text file with a sentence a line."""
    path = tmp_path / "chinese.txt"
    path.write_text("\n".join(sentences()) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def tiny_recipe(chinese_file: Path) -> Callable[..., PretrainRecipe]:
    """``tiny_recipe(pretrain={"epochs": 2})`` is a recipe for a network of two small layers."""

    def build(**values: Any) -> PretrainRecipe:
        settings: dict[str, Any] = {
            "data": {"paths": [str(chinese_file)], "valid_share": 0.2},
            "tokenizer": {"vocabulary": 150},
            "network": {"layers": 2, "hidden": 32, "heads": 2, "positions": 64},
            "pretrain": {"epochs": 1, "max_tokens": 48, "batch_size": 16, "precision": "fp32"},
        }
        for name, value in values.items():
            known = settings.get(name)
            both = isinstance(known, dict) and isinstance(value, dict)
            settings[name] = {**known, **value} if both else value
        return from_dict_of(
            PretrainRecipe, {key: each for key, each in settings.items() if each is not None}
        )

    return build


@pytest.fixture
def pretrained(tmp_path: Path, tiny_recipe: Callable[..., PretrainRecipe]) -> Callable[..., Any]:
    """``pretrained("name", pretrain={...})`` pretrains into a folder of that name."""
    torch.set_num_threads(1)

    def run(name: str = "model", **values: Any) -> Pretrained:
        return pretrain_recipe(tiny_recipe(**values), tmp_path / name)

    return run
