"""Whole fits on forty rows with two small random layers."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from folders import CAUSAL, FAMILIES, model_folder

import takeroot
from takeroot.bundle import load_predictor, open_bundle
from takeroot.errors import CheckpointError, ModelError, RecipeError
from takeroot.generation import fit_recipe, resume
from takeroot.generation.export import convert
from takeroot.generation.weights import load_network
from takeroot.generation.words import with_words, words_in
from takeroot.models.generator import load_generator
from takeroot.recipe import Recipe
from takeroot.stop import Stop, Stopped
from takeroot.train import run as run_module

Build = Callable[..., Any]
SMALL = {"layers": 1, "hidden": 16, "heads": 2, "intermediate": 16, "vocabulary": 64}


class Stopping:
    """Asks to stop once a training has made some steps."""

    def __init__(self, stop: Stop, after: int) -> None:
        self.stop, self.after, self.notes = stop, after, []  # type: ignore[var-annotated]

    def note(self, message: str) -> None:
        self.notes.append(message)

    def step(self, stage: str, done: int, total: int, figures: Any) -> None:
        self.stop.wanted = self.stop.wanted or ("training" in stage and done >= self.after)


def evidence(bundle: Path, name: str) -> Any:
    return json.loads((bundle / "evidence" / f"{name}.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def run(recipe_for: Build, rows: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A finished fit of a Llama, tested on its own rows."""
    made = recipe_for("llama", data={"path": str(rows), "test": str(rows)})
    return fit_recipe(made, tmp_path_factory.mktemp("run") / "run")


def test_a_fit_makes_a_bundle_that_answers(run: Any) -> None:
    predictor = load_predictor(run.bundle)

    answers = predictor.predict(["hello 1", "my parcel"])

    assert (predictor.spec.task, predictor.spec.labels) == ("generate", ())
    assert predictor.spec.generation is not None
    assert all(0 < answer.confidence <= 1 for answer in answers)
    assert "".join(predictor.stream("hello 1")) == answers[0].text


def test_training_lowers_the_loss_of_rows_held_out(run: Any) -> None:
    valid = evidence(run.bundle, "metrics")["valid"]

    assert valid["loss"] < 0.9 * valid["before"]["loss"]
    assert valid["loss"] == pytest.approx(valid["after"]["loss"], rel=0.05)


def test_the_export_writes_what_the_network_would(run: Any) -> None:
    assert run.summary["parity"]["token_agreement"] > 0.95


def test_test_rows_are_answered_before_and_after_training(run: Any) -> None:
    metrics = evidence(run.bundle, "metrics")
    gain = metrics["gain"]

    assert metrics["before"]["n"] == metrics["test"]["n"] == 40
    change = metrics["test"]["loss"] - metrics["before"]["loss"]
    assert gain["loss"]["change"] == pytest.approx(change, abs=1e-6)
    low, high = gain["rouge_l"]["interval"]
    assert low <= gain["rouge_l"]["change"] <= high


@pytest.mark.parametrize("method", ["adapter", "prompt"])
def test_what_is_compared_with_is_the_model_as_it_came(
    method: str, run: Any, recipe_for: Build, rows: Path, tmp_path: Path
) -> None:
    test = {"path": str(rows), "test": str(rows)}
    made = recipe_for("llama", {"method": method, "epochs": 1}, data=test)

    done = fit_recipe(made, tmp_path / "run")

    found, wanted = (evidence(each.bundle, "metrics") for each in (done, run))
    assert found["before"]["loss"] == pytest.approx(wanted["before"]["loss"], rel=1e-3)
    assert found["valid"]["before"]["loss"] == wanted["valid"]["before"]["loss"]


def test_every_row_is_used_or_left_out_with_its_reason(
    recipe_for: Build, rows: Path, tmp_path: Path
) -> None:
    more = [{"prompt": "long", "response": "my parcel " * 30}, {"prompt": "none"}]
    lines = [rows.read_text(encoding="utf-8"), *map(json.dumps, more)]
    path = tmp_path / "more.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    size = {"max_new_tokens": 40}
    made = recipe_for("llama", {"epochs": 1}, data={"path": str(path)}, generate=size)

    done = fit_recipe(made, tmp_path / "run")

    fit = evidence(done.bundle, "fit")
    assert fit["rows_train"] + fit["rows_valid"] + fit["rows_left_out"] == 42
    rejects = (done.path / "rejects.csv").read_text(encoding="utf-8").splitlines()
    assert [line.split(",")[0] for line in rejects] == ["line", "41", "42"]


@pytest.mark.parametrize(
    ("family", "method"),
    [
        *product(["llama", "t5", "bart"], ["adalora", "ia3", "full"]),
        *product(FAMILIES, ["adapter", "prompt"]),
    ][:-1],  # Marian takes no prompt
)
def test_every_method_ends_in_weights_that_are_served(
    family: str, method: str, recipe_for: Build, tmp_path: Path
) -> None:
    made = recipe_for(family, {"method": method, "epochs": 1}, compress={"precision": "fp32"})

    done = fit_recipe(made, tmp_path / "run")

    assert done.summary["parity"] == {"token_agreement": 1.0, "answer_agreement": 1.0}
    assert done.summary["method"] == method


@pytest.mark.parametrize(
    ("family", "method"),
    [("llama", "lora"), ("llama", "full"), ("gated-t5", "adapter"), ("qwen2", "prompt")],
)
def test_the_bundles_weights_give_the_network_again(
    family: str, method: str, recipe_for: Build, tmp_path: Path
) -> None:
    made = recipe_for(family, {"method": method, "epochs": 1})
    done = fit_recipe(made, tmp_path / "run")
    bundle, base = open_bundle(done.bundle), load_generator(made.model, causal=family in CAUSAL)

    network = load_network(bundle, base)

    assert bundle.spec.generation is not None
    asked = with_words(base, words_in(bundle.spec.generation))
    served = convert(network, asked, bundle.spec.precision)
    assert served["model.bin"] == bundle.read("model.bin")


def test_a_network_from_scratch_learns_its_rows(recipe_for: Build, tmp_path: Path) -> None:
    size = {"layers": 1, "hidden": 32, "heads": 2, "intermediate": 64, "vocabulary": 100}
    made = recipe_for("scratch", {"epochs": 30, "batch_size": 8}, scratch=size)

    done = fit_recipe(made, tmp_path / "run")

    valid = evidence(done.bundle, "metrics")["valid"]
    assert (done.summary["method"], done.summary["test"]) == ("scratch", None)
    assert valid["loss"] < 0.6 * valid["before"]["loss"]


@pytest.mark.parametrize(("family", "times"), [("scratch", 10.0), ("t5", 1.0)])
def test_the_table_of_words_learns_ten_times_as_fast_from_scratch(
    family: str, times: float, recipe_for: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Mock(wraps=run_module.adamw)
    monkeypatch.setattr(run_module, "adamw", made)
    parts = {"scratch": SMALL} if family == "scratch" else {}
    fit = {"epochs": 1, "method": "full", "learning_rate": 0.002}

    fit_recipe(recipe_for(family, fit, **parts), tmp_path / "run")

    model, config = made.call_args.args
    table = model.encoder.shared.weight
    groups = run_module.adamw(model, config).param_groups
    rates = {any(p is table for p in group["params"]): group["highest"] for group in groups}
    assert rates == {True: pytest.approx(0.002 * times), False: 0.002}


def test_the_python_interface_fits_and_takes_up_a_run(tmp_path: Path) -> None:
    rows = [{"source": f"hello {n}", "target": f"world {n}"} for n in range(20)]
    values = {"task": "seq2seq", "scratch": SMALL, "fit": {"epochs": 1}}

    model = takeroot.fit(rows, recipe=values, out=tmp_path / "run")
    again = takeroot.fit(rows, resume=tmp_path / "run")

    assert [answer.text is not None for answer in model.predict(["hello 1"])] == [True]
    assert again.predictor.sha256 == model.predictor.sha256


@pytest.mark.parametrize("family", ["llama", "scratch"])
def test_a_stopped_fit_goes_on_to_the_same_model(
    family: str, recipe_for: Build, tmp_path: Path
) -> None:
    parts = {"scratch": SMALL} if family == "scratch" else {}
    made: Recipe = recipe_for(family, {"checkpoint_s": 0.0, "epochs": 8}, **parts)
    whole = fit_recipe(made, tmp_path / "whole")
    stop = Stop()
    with pytest.raises(Stopped):
        fit_recipe(made, tmp_path / "run", stop=stop, progress=Stopping(stop, 10))

    again = resume(tmp_path / "run")

    first, second = (open_bundle(each.bundle).sha256 for each in (whole, again))
    assert first == second
    assert resume(tmp_path / "run").summary["test"] == again.summary["test"]


def test_a_run_goes_on_with_its_own_rows_only(
    recipe_for: Build, rows: Path, tmp_path: Path
) -> None:
    path, text = tmp_path / "rows.jsonl", rows.read_text(encoding="utf-8")
    path.write_text(text, encoding="utf-8")
    fit = {"checkpoint_s": 0.0, "epochs": 8}
    made, stop = recipe_for("llama", fit, data={"path": str(path)}), Stop()
    with pytest.raises(Stopped):
        fit_recipe(made, tmp_path / "run", stop=stop, progress=Stopping(stop, 10))
    path.write_text(text.replace("refund", "money"), encoding="utf-8")

    with pytest.raises(CheckpointError, match="rows: the run began with"):
        resume(tmp_path / "run")


REFUSED = {
    "fit.class_weights: task generate does not take it": {"fit": {"class_weights": "balanced"}},
    "data.second: task generate does not take it": {"data": {"second": "x"}},
    "abstain.method: task generate does not take it": {"abstain": {"method": "knn"}},
    "'prefix' does not do .*: auto, lora, adalora, ia3, adapter, prompt, full .* no place there": {
        "fit": {"method": "prefix"}
    },
    "'scratch' is for task seq2seq": {"model": "scratch"},
    "lora does not take it": {"fit": {"method": "lora", "adapter": {"size": 4}}},
}


@pytest.mark.parametrize("message", REFUSED)
def test_settings_that_mean_nothing_are_refused(message: str, tmp_path: Path) -> None:
    made = Recipe.model_validate({"task": "generate", **REFUSED[message]})

    with pytest.raises(RecipeError, match=message):
        fit_recipe(made, tmp_path / "run")

    assert not (tmp_path / "run").exists()


def test_an_encoder_writes_nothing(rows: Path, tmp_path: Path) -> None:
    made = Recipe.model_validate(
        {"task": "generate", "model": "minilm-l6", "data": {"path": str(rows)}}
    )

    with pytest.raises(ModelError, match="is no causal model; packaged ones: smollm2-135m"):
        fit_recipe(made, tmp_path / "run")


def test_chats_need_a_chat_template(tmp_path: Path) -> None:
    chats = tmp_path / "chats.jsonl"
    turns = [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "world"}]
    lines = [json.dumps({"messages": [*turns, *turns][: 2 * k]}) for k in (1, 2)]
    chats.write_text("\n".join(lines), encoding="utf-8")
    bare = str(model_folder(tmp_path / "bare", template=None))
    made = Recipe.model_validate({"task": "generate", "model": bare, "data": {"path": str(chats)}})

    with pytest.raises(RecipeError, match="has no chat template, and the rows are chats"):
        fit_recipe(made, tmp_path / "run")
