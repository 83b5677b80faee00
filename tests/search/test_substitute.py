from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from takeroot.bundle import open_bundle
from takeroot.errors import CheckpointError, ModelError, RecipeError
from takeroot.models.load import load
from takeroot.models.masked import Masked, load_masked
from takeroot.pretraining.network import going_on, weights
from takeroot.search import augment, fit_recipe, resume
from takeroot.search.substitute import MOST, hide, substituted
from takeroot.train import Silent

Build = Callable[..., Any]
TEXT = "My card is lost, please change the pin"


@pytest.fixture
def masked_folder(tiny_folder: Build) -> Path:
    """A random network that predicts hidden words."""
    folder: Path = tiny_folder()
    torch.manual_seed(0)
    save_file(weights(going_on(load(str(folder)))), folder / "model.safetensors")
    return folder


@pytest.fixture
def masked(masked_folder: Path) -> Masked:
    return load_masked(str(masked_folder), None)


def changed(masked: Masked, texts: Sequence[str], seed: int = 0, max_tokens: int = 64) -> list[str]:
    return substituted(masked, texts, max_tokens, np.random.default_rng(seed), Silent())


def test_some_words_are_other_words_and_all_else_stays(masked: Masked) -> None:
    (found,) = changed(masked, [TEXT])

    pairs = list(zip(TEXT.split(), found.split(), strict=True))
    other = [(before, after) for before, after in pairs if before != after]
    assert len(other) == 1  # 0.15 of 8 words and a comma
    assert other[0][0].strip(",").casefold() != other[0][1].strip(",").casefold()


def test_copies_are_those_of_the_seed(masked: Masked) -> None:
    texts = [TEXT, f"help {TEXT}", "where is my refund"] * 5

    assert changed(masked, texts) == changed(masked, texts) != changed(masked, texts, seed=1)


def test_a_word_in_pieces_is_hidden_whole(masked: Masked) -> None:
    text = "cab 12"
    encoding = masked.tokenizer.encode(text)
    assert encoding.tokens[1:4] == ["c", "##a", "##b"]

    found = hide(masked, text, encoding, np.random.default_rng(0))

    assert found.ids.tolist() == [encoding.ids[0], masked.mask, *encoding.ids[4:]]
    assert found.words == ["cab"]


@pytest.mark.parametrize(("word", "pattern"), [("Card", str.istitle), ("CARD", str.isupper)])
def test_capitals_stay(masked: Masked, word: str, pattern: Callable[[str], bool]) -> None:
    found = [changed(masked, [word], seed)[0] for seed in range(5)]

    assert all(each != word for each in found)
    assert all(pattern(each) for each in found if len(each) > 1)


def test_chinese_is_replaced_by_characters(masked: Masked) -> None:
    text = "我的卡丢了，在哪里"

    (found,) = changed(masked, [text])

    assert len(found) == len(text) and found[5] == ","  # NFKC, as the network reads it
    assert sum(a != b for a, b in zip(text, found, strict=True) if a != "，") == 1


def test_what_the_network_does_not_read_stays(masked: Masked) -> None:
    text = f"my card {'lost ' * 30}".strip()

    found = [changed(masked, [text], seed, max_tokens=4)[0] for seed in range(5)]

    assert all(each.split()[2:] == ["lost"] * 30 and each != text for each in found)


def test_a_text_without_words_stays(masked: Masked) -> None:
    assert changed(masked, ["12 !", "", TEXT])[:2] == ["12 !", ""]


def test_neighbours_do_not_change_a_copy(masked: Masked) -> None:
    many = changed(masked, [TEXT, "help " * 40, "my pin"])

    assert many[0] == changed(masked, [TEXT])[0]


def test_a_word_is_drawn_from_a_few_by_their_chances(masked: Masked) -> None:
    found = [changed(masked, ["card"], seed)[0] for seed in range(200)]

    assert 2 < len(set(found)) <= MOST


def test_a_fit_is_refused_before_rows_are_read(recipe_of: Build, tmp_path: Path) -> None:
    recipe = recipe_of(data={"path": "no/such.csv"}, fit={"augment": ["substitute"]})

    with pytest.raises(ModelError, match=r"^model: .* name a folder .* with fit\.augment_model"):
        fit_recipe(recipe, tmp_path / "run")


def test_a_model_that_nothing_asks_is_refused(recipe_of: Build, tmp_path: Path) -> None:
    recipe = recipe_of(fit={"augment": ["swap"], "augment_model": "models/zh"})

    with pytest.raises(RecipeError, match=r"fit\.augment_model: 'models/zh' is for fit\.augment"):
        fit_recipe(recipe, tmp_path / "run")


@pytest.fixture
def recipe(recipe_of: Build, masked_folder: Path) -> Any:
    """A training on copies by the network, which is another one than the encoder."""
    fit = {"method": "full", "epochs": 2, "checkpoint_s": 0.0}
    more = {"augment": ["substitute", "swap"], "augment_model": str(masked_folder)}
    return recipe_of(task="classify", fit=fit | more, abstain={"method": "none"})


def test_a_run_gone_on_with_makes_the_same_copies(
    recipe: Any, shop_table: Build, tmp_path: Path, log: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(augment, "choose", lambda work, each: each[1])
    table = shop_table(30)
    whole = fit_recipe(recipe, tmp_path / "whole", table=table)
    with pytest.raises(KeyboardInterrupt):
        fit_recipe(recipe, tmp_path / "cut", table=table, progress=log("fine-tuning on all"))

    done = resume(tmp_path / "cut", table=table, progress=(told := log()))

    assert any("(substitute, swap) are learnt from" in note for note in told.notes)
    assert open_bundle(done.bundle).sha256 == open_bundle(whole.bundle).sha256


def test_a_run_does_not_go_on_with_another_network(
    recipe: Any, shop_table: Build, tmp_path: Path, log: Any, masked_folder: Path
) -> None:
    table = shop_table(30)
    with pytest.raises(KeyboardInterrupt):
        fit_recipe(recipe, tmp_path / "cut", table=table, progress=log("fine-tuning on all"))
    start = going_on(load(str(masked_folder)))
    torch.nn.init.zeros_(start.model.head.dense.weight)
    save_file(weights(start), masked_folder / "model.safetensors")

    with pytest.raises(CheckpointError, match="model that substitutes words: the run began with"):
        resume(tmp_path / "cut", table=table)
