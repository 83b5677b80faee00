from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from takeroot.bundle import open_bundle
from takeroot.errors import RecipeError
from takeroot.models.load import load
from takeroot.search import fit_recipe, self_training
from takeroot.search import probe as probes
from takeroot.search.methods import METHODS, Tried
from takeroot.search.work import Work

Build = Callable[..., Any]
FP32 = torch.float32


@pytest.fixture
def work(work_of: Build, shop_examples: Build, encoder_folder: Path) -> Work:
    """Thirty labelled rows, ten of them judged, and thirty texts without labels."""
    rows = shop_examples(60)
    found: Work = work_of(rows[:30], fit={"epochs": 1})
    more = tuple(replace(row, label=None) for row in rows[30:])
    pretrained = load(str(encoder_folder))
    return replace(found, pretrained=pretrained, max_tokens=16, unlabelled=more)


@pytest.fixture
def more_file(tmp_path: Path, shop_examples: Build) -> Path:
    """A file of texts without labels."""
    path = tmp_path / "more.txt"
    path.write_text("\n".join(row.text for row in shop_examples(60)[30:]), encoding="utf-8")
    return path


def guessed(work: Work, probe: Any, pool: Any) -> np.ndarray:
    """What is guessed where every label is as likely as another at first."""
    even = np.full((len(pool.texts), len(work.task.labels)), 1 / len(work.task.labels))
    view = self_training.Seen(probe, pool, even)
    return self_training.guesses(work, [view], work.parts[0].train, even)


def test_of_each_label_the_surest_are_kept() -> None:
    first = [[0.9 - 0.01 * k, 0.1 + 0.01 * k] for k in range(10)]
    second = [[0.45, 0.55], [0.4, 0.6]]

    kept = self_training.surest(np.array(first + second))

    assert kept.tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 10, 11]  # 8 of 10, and 2 of 2, rounded up


def test_the_student_does_not_see_labels_of_judged_rows(work: Work) -> None:
    probe, _ = probes.prepare(work, FP32)
    pool = self_training.prepare(work, probe, FP32)
    part = work.parts[0]
    rows = tuple(
        replace(row, label="card") if k in part.judge else row for k, row in enumerate(work.rows)
    )

    found = [guessed(each, probe, pool) for each in (work, replace(work, rows=rows))]

    np.testing.assert_array_equal(found[0], found[1])


def test_texts_without_labels_change_the_head(work: Work) -> None:
    probe, _ = probes.prepare(work, FP32)
    pool = self_training.prepare(work, probe, FP32)
    part = work.parts[0]

    alone = probes.solve_head(work, probe, part.train)
    student = self_training.student_head(work, probe, pool, part.train)

    assert not np.allclose(alone.weights, student.weights)


def test_a_network_sees_the_same_texts_by_its_own_vectors(work: Work) -> None:
    probe, _ = probes.prepare(work, FP32)
    pool = self_training.prepare(work, probe, FP32)
    frozen = probes.with_head(
        work.pretrained, work.task, probes.solve_head(work, probe, work.parts[0].train)
    )

    found = self_training.seen(work, probe, pool, frozen, FP32)

    np.testing.assert_allclose(found.pool.vectors, pool.vectors, atol=1e-5)
    np.testing.assert_allclose(found.probe.vectors, probe.vectors, atol=1e-5)
    np.testing.assert_allclose(found.believed.sum(axis=1), 1, atol=1e-5)


def test_more_texts_than_the_graph_takes_are_drawn(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(self_training, "MOST_TEXTS", 7)
    probe, _ = probes.prepare(work, FP32)

    pool = self_training.prepare(work, probe, FP32)

    assert len(pool.texts) == len(pool.vectors) == 7
    assert {text.text for text in pool.texts} <= {text.text for text in work.unlabelled}


@pytest.mark.parametrize(
    ("method", "preset"), [("probe", "balanced"), ("contrastive", "balanced"), ("full", "best")]
)
def test_it_is_one_more_candidate_of_each_method(
    recipe_of: Build, shop_table: Build, more_file: Path, tmp_path: Path, method: str, preset: str
) -> None:
    fit = {"method": method, "epochs": 1, "preset": preset}
    recipe = recipe_of(data={"unlabelled": str(more_file)}, fit=fit)

    run = fit_recipe(recipe, tmp_path / "run", table=shop_table())

    assert [each["method"] for each in run.summary["candidates"]] == [method, "self_training"]
    assert open_bundle(run.bundle).spec.labels == ("card", "code", "money")


@pytest.mark.parametrize(
    ("method", "preset"), [("probe", "fast"), ("full", "balanced"), ("contrastive", "best")]
)
def test_the_same_seed_gives_the_same_student(work: Work, method: str, preset: str) -> None:
    fit = work.recipe.fit.model_copy(update={"preset": preset})
    work = replace(work, recipe=work.recipe.model_copy(update={"fit": fit}))
    networks = []
    for _ in range(2):
        tried = Tried([])
        METHODS[method].judge(work, tried, None)
        METHODS["self_training"].judge(work, tried, None)
        networks.append(METHODS["self_training"].finish(work, tried)[0].model.state_dict())

    first, second = networks
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize(("task", "method"), [("multilabel", "probe"), ("classify", "tfidf")])
def test_what_cannot_learn_from_such_texts_says_so(
    recipe_of: Build, shop_table: Build, more_file: Path, tmp_path: Path, task: str, method: str
) -> None:
    recipe = recipe_of(task=task, data={"unlabelled": str(more_file)}, fit={"method": method})

    with pytest.raises(RecipeError, match=f"data.unlabelled: task {task} by {method} learns from"):
        fit_recipe(recipe, tmp_path / "run", table=shop_table(30, task))


def test_the_evidence_counts_the_texts(
    recipe_of: Build, shop_table: Build, more_file: Path, tmp_path: Path
) -> None:
    recipe = recipe_of(data={"unlabelled": str(more_file)}, fit={"method": "probe"})

    run = fit_recipe(recipe, tmp_path / "run", table=shop_table())

    fitted = json.loads((run.bundle / "evidence/fit.json").read_text(encoding="utf-8"))
    assert fitted["rows_unlabelled"] == 30
