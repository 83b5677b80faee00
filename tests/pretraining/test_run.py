"""A pretraining leaves a model folder that other programs read, or nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForMaskedLM

from takeroot.errors import RecipeError, TakerootError
from takeroot.models.load import load
from takeroot.pretraining.network import MOST_PARAMETERS, from_scratch, parameters
from takeroot.recipe import NetworkRecipe


def test_folder_is_a_model_that_guesses_better_than_before(pretrained: Callable[..., Any]) -> None:
    done = pretrained(pretrain={"epochs": 12, "learning_rate": 3e-3})

    summary = done.summary
    assert summary["after"]["loss"] < summary["before"]["loss"] - 0.5
    assert load(str(done.path)).hidden_size == 32
    assert {path.name for path in done.path.iterdir()} == {
        "config.json",
        "model.safetensors",
        "pretraining.json",
        "report.html",
        "tokenizer.json",
    }
    assert not list(done.path.parent.glob(".*"))


def test_transformers_reads_the_folder_with_its_head(pretrained: Callable[..., Any]) -> None:
    done = pretrained()

    network = AutoModelForMaskedLM.from_pretrained(done.path)

    saved = load_file(done.path / "model.safetensors")
    assert torch.equal(network.cls.predictions.bias, saved["cls.predictions.bias"])
    assert torch.equal(
        network.cls.predictions.decoder.weight, saved["bert.embeddings.word_embeddings.weight"]
    )


@pytest.mark.parametrize("pairs", ["next", "order", "contrast"])
def test_pairs_are_judged_beside_the_tokens(pairs: str, pretrained: Callable[..., Any]) -> None:
    summary = pretrained(pretrain={"pairs": pairs}).summary

    assert 0 <= summary["after"]["pair_accuracy"] <= 1


def test_going_on_lowers_the_held_out_loss_and_keeps_the_tokenizer(
    pretrained: Callable[..., Any],
) -> None:
    first = pretrained("first", pretrain={"epochs": 4, "learning_rate": 3e-3})
    on = {"model": str(first.path), "tokenizer": None, "network": None}

    second = pretrained("second", **on, pretrain={"epochs": 8, "learning_rate": 3e-3})

    assert second.summary["before"] == pytest.approx(first.summary["after"])
    assert second.summary["after"]["loss"] < first.summary["after"]["loss"] - 0.2
    tokenizers = [(each.path / "tokenizer.json").read_bytes() for each in (first, second)]
    assert tokenizers[0] == tokenizers[1]


def test_causal_pretraining_goes_on_from_an_encoder_without_head(
    pretrained: Callable[..., Any], tiny_folder: Callable[..., Path], tmp_path: Path
) -> None:
    texts = tmp_path / "english.txt"
    texts.write_text("\n".join(f"where is card {k} please" for k in range(100)), encoding="utf-8")
    on: dict[str, Any] = {"model": str(tiny_folder()), "tokenizer": None, "network": None}
    on |= {"data": {"paths": [str(texts)]}}

    summary = pretrained(**on, pretrain={"objective": "causal", "epochs": 3}).summary

    assert summary["fresh_head"]
    assert summary["after"]["loss"] < summary["before"]["loss"]


def test_the_same_recipe_gives_the_same_weights(pretrained: Callable[..., Any]) -> None:
    weights = [(pretrained(name).path / "model.safetensors").read_bytes() for name in "ab"]

    assert weights[0] == weights[1]


def test_summary_counts_what_was_learnt_from(pretrained: Callable[..., Any]) -> None:
    done = pretrained()

    kept = json.loads((done.path / "pretraining.json").read_text(encoding="utf-8"))
    assert sum(kept["documents"].values()) == kept["files"][0]["kept"] == 120
    assert kept["tokens"]["train"] > kept["rows"]["train"] >= kept["documents"]["train"]
    assert kept["recipe"]["network"]["hidden"] == 32
    assert [each["epoch"] for each in kept["history"]["held_out"]] == [0.0, 1.0]


def test_page_shows_the_curves_and_loads_nothing(pretrained: Callable[..., Any]) -> None:
    page = (pretrained().path / "report.html").read_text(encoding="utf-8")

    assert "Held-out perplexity" in page
    assert page.count("<svg") >= 2
    assert "default-src 'none'" in page
    assert "http://" not in page
    assert "https://" not in page


def test_a_folder_that_is_there_is_left_alone(
    pretrained: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "model").mkdir()

    with pytest.raises(TakerootError, match="is already there"):
        pretrained()


@pytest.mark.parametrize("where", ["tokenizer", "training"])
def test_nothing_is_left_of_what_was_broken_off(
    where: str, pretrained: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    name = {"tokenizer": "prepare.train_tokenizer", "training": "run.train"}[where]
    monkeypatch.setattr(f"takeroot.pretraining.{name}", stop)
    before = set(tmp_path.iterdir())

    with pytest.raises(KeyboardInterrupt):
        pretrained()

    assert set(tmp_path.iterdir()) == before


def test_a_vocabulary_that_cannot_read_the_texts_is_refused(pretrained: Callable[..., Any]) -> None:
    with pytest.raises(RecipeError, match=r"tokenizer\.vocabulary: .* take a larger one"):
        pretrained(tokenizer={"vocabulary": 32})


def test_a_model_that_cannot_read_the_texts_is_refused(
    pretrained: Callable[..., Any], tiny_folder: Callable[..., Path]
) -> None:
    on = {"model": str(tiny_folder()), "tokenizer": None, "network": None}

    with pytest.raises(RecipeError, match=r"does not know \d+% of the held-out tokens"):
        pretrained(**on)


def test_rows_longer_than_the_model_reads_are_refused(
    pretrained: Callable[..., Any], tiny_folder: Callable[..., Path]
) -> None:
    on = {"model": str(tiny_folder()), "tokenizer": None, "network": None}

    with pytest.raises(RecipeError, match=r"pretrain\.max_tokens: 200 is more than the 66"):
        pretrained(**on, pretrain={"max_tokens": 200})


def test_a_network_for_many_gpus_is_refused() -> None:
    recipe = NetworkRecipe(layers=24, hidden=1024, heads=16)

    with pytest.raises(RecipeError, match=r"network: 3\d\d million parameters; at most 150"):
        from_scratch(recipe, 30_000)


def test_parameters_are_counted_as_torch_counts_them() -> None:
    start = from_scratch(NetworkRecipe(layers=3, hidden=32, heads=2, positions=16), 100)

    assert parameters(start.config) == sum(p.numel() for p in start.model.encoder.parameters())
    assert parameters(start.config) < MOST_PARAMETERS
