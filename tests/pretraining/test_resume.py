from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer

from takeroot.errors import CheckpointError, RecipeError
from takeroot.pretraining import pretrain_recipe, resume
from takeroot.recipe import PretrainRecipe
from takeroot.stop import Stop, Stopped

Recipe = Callable[..., PretrainRecipe]
OFTEN = {"checkpoint_s": 0.0, "epochs": 3, "dropout": 0.1}


class CutOff:
    """A progress that ends everything at a step, as a crash would."""

    def __init__(self, at: int) -> None:
        self.at = at

    def note(self, message: str) -> None:
        """Nothing happens here."""

    def step(self, stage: str, done: int, total: int, figures: Mapping[str, float]) -> None:
        if stage == "pretraining" and done >= self.at:
            raise KeyboardInterrupt


def cut_off(recipe: PretrainRecipe, out: Path, at: int = 10) -> None:
    with pytest.raises(KeyboardInterrupt):
        pretrain_recipe(recipe, out, progress=CutOff(at))


@pytest.mark.parametrize("kind", ["wordpiece", "unigram"])
def test_a_pretraining_that_was_cut_off_ends_in_the_same_weights(
    kind: str, tiny_recipe: Recipe, tmp_path: Path
) -> None:
    recipe = tiny_recipe(tokenizer={"kind": kind}, pretrain=OFTEN)
    cut_off(recipe, tmp_path / "cut")
    kept = json.loads((tmp_path / "cut.run" / "run.json").read_text())["measured"]["tokenizer"]

    again = resume(tmp_path / "cut")

    assert again.summary["steps"] > 10
    made = Tokenizer.from_file(str(again.path / "tokenizer.json"))
    assert made.get_vocab() == Tokenizer.from_str(kept).get_vocab()
    if kind == "wordpiece":  # another unigram tokenizer may come out otherwise
        whole = pretrain_recipe(recipe, tmp_path / "whole")
        files = [each.path / "model.safetensors" for each in (whole, again)]
        assert files[0].read_bytes() == files[1].read_bytes()


def test_nothing_but_the_model_is_left_at_the_end(tiny_recipe: Recipe, tmp_path: Path) -> None:
    before = {*tmp_path.iterdir(), tmp_path / "model"}
    cut_off(tiny_recipe(pretrain=OFTEN), tmp_path / "model")
    (tmp_path / ".model.partial-0").mkdir()  # as a killed process leaves it

    resume(tmp_path / "model")

    assert set(tmp_path.iterdir()) == before


def test_of_a_finished_pretraining_the_summary_is_given_again(
    pretrained: Callable[..., Any],
) -> None:
    done = pretrained()

    assert resume(done.path).summary == json.loads(json.dumps(done.summary))


def test_a_wish_to_stop_keeps_the_state_and_names_the_folder(
    tiny_recipe: Recipe, tmp_path: Path
) -> None:
    stop = Stop()
    stop.wanted = True

    with pytest.raises(Stopped) as stopped:
        pretrain_recipe(tiny_recipe(pretrain=OFTEN), tmp_path / "model", stop=stop)

    assert stopped.value.run == tmp_path / "model"
    assert resume(tmp_path / "model").summary["steps"] > 1


def test_changed_texts_are_refused(tiny_recipe: Recipe, tmp_path: Path, chinese_file: Path) -> None:
    cut_off(tiny_recipe(pretrain=OFTEN), tmp_path / "model")
    with chinese_file.open("a", encoding="utf-8") as file:
        file.write("一个新的句子。\n")

    with pytest.raises(CheckpointError, match="documents: the run began with sha256"):
        resume(tmp_path / "model")


def test_what_was_never_begun_cannot_be_gone_on_with(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="holds no run that can be gone on with"):
        resume(tmp_path / "model")


def test_a_second_beginning_is_pointed_to_the_first(tiny_recipe: Recipe, tmp_path: Path) -> None:
    recipe = tiny_recipe(pretrain=OFTEN)
    cut_off(recipe, tmp_path / "model")

    with pytest.raises(RecipeError, match="takeroot pretrain --resume"):
        pretrain_recipe(recipe, tmp_path / "model")
