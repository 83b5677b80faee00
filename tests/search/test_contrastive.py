from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from takeroot.bundle import open_bundle
from takeroot.models.load import load
from takeroot.search import contrastive, fit_recipe
from takeroot.search import probe as probes
from takeroot.search.work import Work

Build = Callable[..., Any]
FP32 = torch.float32


@pytest.fixture
def work(work_of: Build, shop_examples: Build, encoder_folder: Path) -> Work:
    found: Work = work_of(shop_examples(30), fit={"epochs": 1})
    return replace(found, pretrained=load(str(encoder_folder)), max_tokens=16)


def weights(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def test_the_encoder_kept_lies_between_pretrained_and_trained() -> None:
    start, trained = torch.nn.Linear(3, 2), torch.nn.Linear(3, 2)
    far = trained.weight.detach().clone()

    contrastive.move_back(trained, start)

    way = start.weight + 0.75 * (far - start.weight)
    torch.testing.assert_close(trained.weight, way)


def test_all_but_the_embedding_tables_moves_and_the_encoder_given_does_not(work: Work) -> None:
    assert work.pretrained is not None
    before = weights(work.pretrained.encoder)
    probe, _ = probes.prepare(work, FP32)
    part = work.parts[0]

    model = contrastive.tune(work, probe, part, contrastive.configure(work, part, FP32), "t").model

    after, given = weights(model.encoder), weights(work.pretrained.encoder)
    assert all(torch.equal(before[name], given[name]) for name in before)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed and not any(name.startswith("embeddings.") for name in changed)


def test_label_names_are_rows_where_the_probe_uses_them(work: Work) -> None:
    recipe = work.recipe.model_copy(
        update={"data": work.recipe.data.model_copy(update={"labels": {"code": "change the pin"}})}
    )

    rows = contrastive.named_rows(replace(work, recipe=recipe))

    assert work.pretrained is not None
    said = [work.pretrained.tokenizer.decode(list(row.ids)) for row in rows]
    assert said[0] == "card"
    assert said[1].endswith("the pin")  # its own name is "code"
    assert [row.target for row in rows] == [0, 1, 2]


def test_texts_of_a_label_come_together(work: Work) -> None:
    probe, _ = probes.prepare(work, FP32)
    recipe = work.recipe.model_copy(
        update={"fit": work.recipe.fit.model_copy(update={"epochs": 20, "learning_rate": 1e-3})}
    )
    part = work.parts[0]
    own = np.array(work.task.targets(work.rows))[part.train]
    same = own[:, None] == own[None, :]

    work = replace(work, recipe=recipe)
    tuned = contrastive.tune(work, probe, part, contrastive.configure(work, part, FP32), "t")

    found = contrastive.finetune.outputs_of(work, tuned.model, part.train).embedding
    before, after = (c @ c.T for c in (probe.vectors[part.train], found))
    assert after[same].mean() - after[~same].mean() > before[same].mean() - before[~same].mean()


def test_the_same_seed_gives_the_same_bundle(
    recipe_of: Build, shop_table: Build, tmp_path: Path
) -> None:
    recipe = recipe_of(fit={"method": "contrastive", "epochs": 2})

    first, second = (
        open_bundle(fit_recipe(recipe, tmp_path / str(k), table=shop_table()).bundle)
        for k in range(2)
    )

    name = "weights/model.safetensors"
    assert first.read(name) == second.read(name)
