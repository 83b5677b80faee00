"""Whole fits of thirty rows on an encoder of two small random layers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from takeroot.bundle import load_predictor, open_bundle
from takeroot.data import read_object
from takeroot.errors import RecipeError
from takeroot.search import Run, fit_recipe, probe
from takeroot.train.gradient import Gradient

Build = Callable[..., Any]

SUMMARY = {
    *("bundle", "method", "task", "seconds", "peak_rss_mb", "valid", "test", "candidates"),
    *("parity", "artifact_mb", "precision"),
}
ALWAYS = {
    *("metrics", "fit", "candidates", "calibration", "abstention", "data", "recipe"),
    "environment",
}
FULL = {"method": "full", "epochs": 8, "learning_rate": 0.005}
TASKS: dict[str, dict[str, Any]] = {
    "tfidf": {"fit": {"method": "tfidf"}},
    "probe": {"fit": {"method": "probe"}},
    "full": {"fit": FULL},
}
RUNS = [
    *(("classify", method) for method in TASKS),
    *(("multilabel", "tfidf"), ("multilabel", "full"), ("pair", "tfidf"), ("pair", "full")),
    ("tag", "full"),
]


def evidence(run: Run, name: str) -> Any:
    return json.loads((run.bundle / "evidence" / f"{name}.json").read_text(encoding="utf-8"))


def right(answers: list[Any], table: Any) -> float:
    """Share of the rows whose label, labels or entities are wholly right."""
    hits = 0
    for answer, row in zip(answers, table.rows, strict=True):
        wanted = row.values["label"]
        if isinstance(wanted, str):
            hits += answer.label == wanted
        elif wanted and isinstance(wanted[0], dict):
            found = [{"start": e.start, "end": e.end, "label": e.label} for e in answer.entities]
            hits += found == wanted
        else:
            hits += set(answer.labels) == set(wanted)
    return hits / len(table.rows)


@pytest.mark.parametrize(("task", "method"), RUNS)
def test_the_bundle_answers_its_training_texts(
    fit: Build, shop_table: Build, task: str, method: str
) -> None:
    run, table = fit(task, **TASKS[method]), shop_table(30, task)
    texts = [row.values["text"] for row in table.rows]
    if task == "pair":
        texts = [(row.values["text"], row.values["second"]) for row in table.rows]

    answers = load_predictor(run.bundle, threads=1).predict(texts)

    assert right(answers, table) >= 0.8


@pytest.mark.parametrize(("task", "method"), RUNS)
def test_the_summary_is_what_the_json_output_promises(fit: Build, task: str, method: str) -> None:
    run = fit(task, **TASKS[method])

    assert set(run.summary) == SUMMARY
    assert (run.summary["task"], run.summary["method"]) == (task, method)
    assert [set(each) for each in run.summary["candidates"]] == [{"method", "seconds", "valid"}]
    assert set(run.summary["parity"]) == {"label_agreement", "max_probability_difference"}
    assert json.loads(json.dumps(run.summary, allow_nan=False)) == run.summary


@pytest.mark.parametrize(("task", "method"), RUNS)
def test_the_evidence_is_complete(fit: Build, task: str, method: str) -> None:
    run = fit(task, **TASKS[method])

    found = {path.stem for path in (run.bundle / "evidence").iterdir()}
    wanted = ALWAYS | ({"parity"} if method != "tfidf" else set())
    wanted |= {"progress"} if method == "full" else set()
    wanted |= {"learning_curve"} if task != "tag" else set()
    assert found == wanted
    assert set(evidence(run, "metrics")) == {"valid", "test"}


@pytest.mark.parametrize(("task", "method"), RUNS)
def test_the_test_rows_are_answered_by_the_artifact(
    fit: Build, shop_table: Build, task: str, method: str
) -> None:
    run, table = fit(task, **TASKS[method]), shop_table(12, task, "test")
    texts = [row.values["text"] for row in table.rows]
    if task == "pair":
        texts = [(row.values["text"], row.values["second"]) for row in table.rows]

    answers = load_predictor(run.bundle, threads=1).predict(texts)

    metric = {"tag": "entity_f1", "multilabel": "subset_accuracy"}.get(task, "accuracy")
    assert run.summary["test"]["n"] == 12
    if task != "tag":
        assert run.summary["test"][metric] == pytest.approx(right(answers, table), abs=1e-6)
    else:
        assert (run.summary["test"][metric] == 1) == (right(answers, table) == 1)


def test_the_served_network_agrees_with_the_trained_one(fit: Build) -> None:
    parity = fit("classify", **TASKS["probe"]).summary["parity"]

    assert parity["label_agreement"] == 1
    assert parity["max_probability_difference"] < 1e-3


def test_int8_is_tried_and_said_why_kept_or_not(fit: Build) -> None:
    run = fit(fit={"method": "probe"}, compress={"precision": "auto"})

    parity = evidence(run, "parity")
    assert [each["precision"] for each in parity["variants"]] == ["fp32", "int8"]
    assert run.summary["precision"] == parity["precision"]
    assert parity["reason"]


def test_the_network_to_train_further_is_kept_unless_unwanted(fit: Build) -> None:
    kept, left = (
        open_bundle(fit(fit={"method": "probe"}, **more).bundle).files
        for more in ({}, {"output": {"weights": False}})
    )

    assert "weights/model.safetensors" in kept
    assert not any(name.startswith("weights/") for name in left)


def test_auto_tries_what_suits_few_labels_and_keeps_the_cheapest_of_equals(fit: Build) -> None:
    run = fit(fit={"epochs": 1})

    listed = evidence(run, "candidates")
    assert [each["method"] for each in listed] == ["tfidf", "probe", "contrastive"]
    assert [each["method"] for each in listed if each["chosen"]] == [run.summary["method"]]
    assert run.summary["method"] == "tfidf"  # right about every row, as one word tells


def test_auto_tries_what_freezes_layers_where_they_are_to_be_frozen(fit: Build) -> None:
    run = fit(fit={"epochs": 1, "freeze": 1})

    assert [each["method"] for each in evidence(run, "candidates")] == ["tfidf", "probe", "full"]


def test_preset_fast_does_not_fine_tune(fit: Build) -> None:
    methods = [each["method"] for each in fit(fit={"preset": "fast"}).summary["candidates"]]

    assert methods == ["tfidf", "probe"]


@pytest.mark.parametrize("method", ["tfidf", "probe"])
def test_methods_that_cannot_tag_are_refused(fit: Build, method: str) -> None:
    with pytest.raises(RecipeError, match=f"{method!r} does not do task tag; allowed: auto, full"):
        fit("tag", fit={"method": method})


@pytest.mark.parametrize("method", ["tfidf", "full"])
def test_the_same_seed_gives_the_same_bundle(
    fit: Build, recipe_of: Build, shop_table: Build, tmp_path: Path, method: str
) -> None:
    recipe = recipe_of(**TASKS[method])
    runs = [fit_recipe(recipe, tmp_path / str(k), table=shop_table()) for k in range(2)]

    first, second = (open_bundle(run.bundle) for run in runs)

    packed = [bundle.spec.model_copy(update={"pack_tokens": 512}) for bundle in (first, second)]
    assert packed[0] == packed[1]
    assert first.sha256 == second.sha256


def test_another_seed_gives_another_network(fit: Build) -> None:
    runs = [fit(fit=FULL | {"seed": seed}) for seed in (0, 1)]

    first, second = (open_bundle(run.bundle).read("weights/model.safetensors") for run in runs)

    assert first != second


@pytest.mark.parametrize("change", [{"label_smoothing": 0.5}, {"epochs": 3}, {"dropout": 0.5}])
def test_settings_change_the_trained_network(fit: Build, change: dict[str, Any]) -> None:
    runs = [fit(fit=FULL), fit(fit=FULL | change)]

    first, second = ((run.bundle / "weights/model.safetensors").read_bytes() for run in runs)

    assert first != second


@pytest.mark.parametrize("method", ["tfidf", "full"])
def test_class_weights_change_the_answers(
    recipe_of: Build, shop_table: Build, tmp_path: Path, method: str
) -> None:
    table = read_object([row.values for row in shop_table(10).rows], name="uneven")
    settings = {"method": method, "epochs": 1}
    recipes = [recipe_of(fit=settings | {"class_weights": w}) for w in ("none", "balanced")]

    runs = [fit_recipe(r, tmp_path / str(k), table=table) for k, r in enumerate(recipes)]

    first, second = (open_bundle(run.bundle).sha256 for run in runs)
    assert first != second


def test_patience_scores_every_epoch(fit: Build) -> None:
    run = fit("tag", fit=FULL | {"patience": 1, "epochs": 4})

    epochs = evidence(run, "progress")["epochs"]
    assert 1 <= len(epochs) <= 4
    assert all("entity_f1" in epoch for epoch in epochs)


def test_too_little_time_leaves_fine_tuning_out_with_a_note(
    recipe_of: Build, shop_table: Build, log: Any, tmp_path: Path
) -> None:
    told = log()

    recipe = recipe_of(fit={"time_limit_s": 5})
    run = fit_recipe(recipe, tmp_path / "r", table=shop_table(), progress=told)

    assert "contrastive was not tried: the time limit leaves no room for it" in told.notes
    assert [each["method"] for each in run.summary["candidates"]] == ["tfidf", "probe"]


def test_an_encoder_that_would_take_too_long_is_left_out_with_a_note(
    recipe_of: Build,
    shop_table: Build,
    log: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = log()
    monkeypatch.setattr(probe, "ANYWAY_S", 0.0)

    recipe = recipe_of(fit={"time_limit_s": 5, "preset": "fast"})  # less than export is given
    run = fit_recipe(recipe, tmp_path / "r", table=shop_table(), progress=told)

    assert any(note.startswith("probe was not tried: embedding ") for note in told.notes)
    assert [each["method"] for each in run.summary["candidates"]] == ["tfidf"]


@pytest.mark.parametrize("stage", ["TF-IDF", "embedding", "contrastive"])
def test_a_fit_interrupted_before_its_first_checkpoint_leaves_nothing(
    recipe_of: Build, shop_table: Build, log: Any, tmp_path: Path, stage: str
) -> None:
    recipe = recipe_of(fit={"epochs": 1})

    with pytest.raises(KeyboardInterrupt):
        fit_recipe(recipe, tmp_path / "r", table=shop_table(), progress=log(stop_at=stage))

    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not (tmp_path / "r" / "bundle").exists()


def test_texts_the_encoder_cannot_read_are_left_to_tfidf(
    recipe_of: Build, log: Any, tmp_path: Path
) -> None:
    rows = [{"text": "卡丢了" + "一二三四五"[k // 2], "label": "卡"} for k in range(10)]
    rows += [{"text": "忘记密码" + "一二三四五"[k // 2], "label": "码"} for k in range(10)]
    told = log()

    run = fit_recipe(recipe_of(), tmp_path / "r", table=read_object(rows), progress=told)

    assert any(n.startswith("warning: ") and "only TF-IDF is tried" in n for n in told.notes)
    assert [each["method"] for each in run.summary["candidates"]] == ["tfidf"]


def test_an_unreadable_text_is_only_warned_of_where_the_method_is_named(
    recipe_of: Build, log: Any, tmp_path: Path
) -> None:
    rows = [
        {"text": f"{'卡丢了' if k % 2 else '忘记密码'}{k}", "label": "ab"[k % 2]} for k in range(12)
    ]
    told = log()
    recipe = recipe_of(fit={"method": "probe"})

    run = fit_recipe(recipe, tmp_path / "r", table=read_object(rows), progress=told)

    assert any("name an encoder for their language" in note for note in told.notes)
    assert run.summary["method"] == "probe"


def test_rows_that_cannot_be_used_are_listed_beside_the_bundle(
    recipe_of: Build, shop_table: Build, tmp_path: Path
) -> None:
    rows = [row.values for row in shop_table(12).rows] + [{"text": "no label", "label": ""}]
    recipe = recipe_of(fit={"method": "tfidf"})

    fit_recipe(recipe, tmp_path / "r", table=read_object(rows))

    listed = (tmp_path / "r" / "rejects.csv").read_text(encoding="utf-8-sig").splitlines()
    assert len(listed) == 2
    assert listed[1].startswith("13,")


def test_nothing_is_turned_away_when_abstaining_is_off(fit: Build) -> None:
    run = fit(fit={"method": "tfidf"}, abstain={"method": "none"})

    predictor = load_predictor(run.bundle, threads=1)
    assert predictor.spec.abstention is None
    assert not any(answer.abstained for answer in predictor.predict(["", "?", "lost"]))


@pytest.mark.parametrize("method", ["energy", "max_softmax", "mahalanobis", "knn"])
def test_the_score_asked_for_is_used(fit: Build, method: str) -> None:
    run = fit(fit={"method": "probe"}, abstain={"method": method, "reject_share": 0.1})

    rule = open_bundle(run.bundle).spec.abstention
    assert rule is not None
    assert rule.method == method
    assert evidence(run, "abstention")["in_scope_rejected"] == pytest.approx(0.1)
    assert run.summary["valid"]["abstained"] == 3  # of 30


def test_scores_that_need_an_encoder_are_refused_without_one(fit: Build) -> None:
    with pytest.raises(RecipeError, match=r"abstain\.method: 'knn' compares an encoder"):
        fit(fit={"method": "tfidf"}, abstain={"method": "knn"})


def test_scores_that_need_an_encoder_leave_tf_idf_out_of_the_search(fit: Build) -> None:
    run = fit(fit={"preset": "fast"}, abstain={"method": "knn"})

    assert [each["method"] for each in run.summary["candidates"]] == ["probe"]


@pytest.mark.parametrize("method", ["tfidf", "probe"])
@pytest.mark.parametrize("count", [2, 3, 5])
def test_one_row_a_class_is_enough_to_run(
    recipe_of: Build, tmp_path: Path, method: str, count: int
) -> None:
    words = ["lost", "pin", "refund", "where", "help"][:count]
    table = read_object([{"text": f"my {word}", "label": word} for word in words])
    recipe = recipe_of(task="classify", fit={"method": method})

    run = fit_recipe(recipe, tmp_path / "r", table=table)

    assert load_predictor(run.bundle, threads=1).predict([f"my {words[0]}"])[0].label == words[0]


def test_the_bundle_says_whether_its_texts_are_recorded_masked(
    recipe_of: Build, shop_table: Build, tmp_path: Path
) -> None:
    said = {}
    for mask in (False, True):
        recipe = recipe_of(fit={"method": "tfidf"}, serve={"mask": mask})
        run = fit_recipe(recipe, tmp_path / str(mask), table=shop_table())
        said[mask] = open_bundle(run.bundle).spec.mask

    assert said == {False: False, True: True}


def test_a_folder_that_is_taken_is_refused(
    recipe_of: Build, shop_table: Build, tmp_path: Path
) -> None:
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "mine").touch()
    recipe = recipe_of(fit={"method": "tfidf"})
    rows = [row.values for row in shop_table(12).rows] + [{"text": "no label", "label": ""}]

    with pytest.raises(Exception, match="bundle"):
        fit_recipe(recipe, tmp_path, table=read_object(rows))

    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]
    assert [path.name for path in (tmp_path / "bundle").iterdir()] == ["mine"]


def test_what_was_out_of_the_ordinary_in_training_is_noted(
    recipe_of: Build, shop_table: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compute = Gradient._sum_of_parts

    def short_of_memory_once(self: Gradient, batches: Any) -> float:
        if not self.halvings:
            raise MemoryError
        return compute(self, batches)

    monkeypatch.setattr(Gradient, "_sum_of_parts", short_of_memory_once)

    recipe = recipe_of(task="pair", data={"second": "second"}, fit={**FULL, "epochs": 1})

    run = fit_recipe(recipe, tmp_path / "r", table=shop_table(30, "pair"))

    noted = evidence(run, "fit")["notes"][-1]
    assert noted.startswith("training, step 1: memory ran out; from here on")
