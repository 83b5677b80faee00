from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from takeroot.models.load import load
from takeroot.search import finetune
from takeroot.search import probe as probes
from takeroot.search.finetune import Tuned
from takeroot.search.methods import METHODS, Tried, adapter_of
from takeroot.search.work import Part, Work
from takeroot.tasks import Classify, Tag

Build = Callable[..., Any]
FP32 = torch.float32
TWO = Classify(("a", "b"))


def weights_of(tuned: Tuned) -> Tensor:
    """All weights of a network, one after the other."""
    return torch.cat([value.flatten() for value in tuned.model.parameters()])


@pytest.fixture
def work(work_of: Build, shop_examples: Build, encoder_folder: Path) -> Work:
    found: Work = work_of(shop_examples(30))
    return replace(found, pretrained=load(str(encoder_folder)), max_tokens=16)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", 7),
        ("learning_rate", 0.01),
        ("batch_size", 5),
        ("accumulate", 3),
        ("weight_decay", 0.5),
        ("warmup_share", 0.3),
        ("schedule", "cosine"),
        ("clip", 2.5),
        ("dropout", 0.25),
        ("patience", 4),
        ("recompute", True),
        ("shard", True),
        ("seed", 9),
    ],
)
def test_settings_of_the_recipe_reach_the_training(
    work_of: Build, shop_examples: Build, name: str, value: Any
) -> None:
    work = work_of(shop_examples(6), fit={name: value})

    assert getattr(finetune.configure(work, FP32, 6), name) == value


def test_with_preset_best_the_mean_of_the_judged_networks_is_kept(work: Work) -> None:
    fit = work.recipe.fit.model_copy(update={"preset": "best", "epochs": 1})
    every = np.arange(30)
    parts = tuple(Part(np.setdiff1d(every, judge), judge) for judge in (every[:9], every[9:18]))
    work = replace(work, recipe=work.recipe.model_copy(update={"fit": fit}), parts=parts)
    tried = Tried([])

    METHODS["full"].judge(work, tried, None)
    kept, rows = METHODS["full"].finish(work, tried)

    first, second = (weights_of(each) for each in tried.judged["full"])
    assert not torch.equal(first, second)
    torch.testing.assert_close(weights_of(kept), (first + second) / 2)
    assert rows.tolist() == every.tolist()  # each has been learnt from by one of them


@pytest.mark.parametrize(
    ("rows", "preset", "epochs"),
    [(100, "balanced", 8), (9000, "balanced", 5), (9000, "best", 8), (90_000, "balanced", 2)],
)
def test_the_more_rows_the_fewer_times_each_is_seen(
    work_of: Build, shop_examples: Build, rows: int, preset: str, epochs: int
) -> None:
    work = work_of(shop_examples(6), TWO, fit={"preset": preset})

    assert finetune.configure(work, FP32, rows).epochs == epochs


def test_an_adapter_sees_its_rows_more_often(work: Work) -> None:
    adapter = adapter_of("lora", work.recipe)

    whole, adapted = (finetune.configure(work, FP32, 9000, each) for each in (None, adapter))

    assert (whole.epochs, adapted.epochs) == (5, 8)


def test_few_rows_are_learnt_slowly_and_by_contrast(work_of: Build, shop_examples: Build) -> None:
    work = work_of(shop_examples(6), TWO)

    few, many = (finetune.configure(work, FP32, rows) for rows in (39, 40))

    assert few.learning_rate < many.learning_rate
    assert finetune.objective_of(work, 39).contrastive > 0
    assert finetune.objective_of(work, 40).contrastive == 0


@pytest.mark.parametrize(("given", "expected"), [(None, 0.1), (0.3, 0.3), (0.0, None)])
def test_tokens_are_hidden_as_the_recipe_says(
    work: Work, given: float | None, expected: float | None
) -> None:
    recipe = work.recipe.model_copy(
        update={"fit": work.recipe.fit.model_copy(update={"mask_tokens": given})}
    )

    masking = finetune.objective_of(replace(work, recipe=recipe), 20).masking

    assert (masking and masking.share) == expected


def test_no_token_is_hidden_where_each_one_is_to_be_told(work: Work) -> None:
    tagged = replace(work, task=Tag(("card",)))

    assert finetune.objective_of(tagged, 20).masking is None


def test_small_batches_are_learnt_from_more_slowly(work_of: Build, shop_examples: Build) -> None:
    work, small = (work_of(shop_examples(6), TWO, fit={"batch_size": size}) for size in (64, 16))

    fast, slow = (finetune.configure(each, FP32, 9000).learning_rate for each in (work, small))

    assert slow == pytest.approx(fast / 4)


def test_the_random_head_of_tags_learns_faster(work_of: Build, shop_examples: Build) -> None:
    found = finetune.configure(work_of(shop_examples(6), Tag(("card",))), FP32, 6)

    assert found.head_learning_rate == 10 * found.learning_rate


def test_the_encoder_given_stays_as_it_is(work: Work) -> None:
    assert work.pretrained is not None
    before = {name: value.clone() for name, value in work.pretrained.encoder.state_dict().items()}
    config = replace(finetune.configure(work, FP32, 20), epochs=1)

    finetune.fine_tune(work, None, work.parts[0], config, "t")

    after = work.pretrained.encoder.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_all_but_the_embedding_tables_is_trained(work: Work) -> None:
    assert work.pretrained is not None
    before = work.pretrained.encoder.state_dict()
    config = replace(finetune.configure(work, FP32, 20), epochs=2)

    model = finetune.fine_tune(work, None, work.parts[0], config, "t").model

    changed = {n for n, v in model.encoder.state_dict().items() if not torch.equal(v, before[n])}
    assert changed and not any(name.startswith("embeddings.") for name in changed)


def test_training_starts_from_the_solved_head(work: Work) -> None:
    probe, _ = probes.prepare(work, FP32)
    config = replace(finetune.configure(work, FP32, 20), epochs=1, learning_rate=1e-9)

    tuned = finetune.fine_tune(
        work, probe, work.parts[0], replace(config, head_learning_rate=1e-9), "t"
    )

    # Where labels are few, from a head that is less sure than the probe's.
    probe = replace(probe, c=min(probe.c, finetune.FEW_C))
    judged = finetune.outputs_of(work, tuned.model, work.parts[0].judge).logits
    np.testing.assert_allclose(
        judged, probes.judge(work, probe, work.parts).outputs.logits, atol=1e-3
    )


def test_patience_scores_the_judged_rows_each_epoch(work: Work) -> None:
    config = replace(finetune.configure(work, FP32, 20), epochs=2, patience=2)

    tuned = finetune.fine_tune(work, None, work.parts[0], config, "t")

    assert all(0 <= record["accuracy"] <= 1 for record in tuned.history.epochs)
    assert len(tuned.history.epochs) == 2


@pytest.mark.parametrize(
    ("fit", "said"),
    [
        ({"mask_tokens": 0.0}, "are run once"),
        ({}, r"are run in every epoch: fit.mask_tokens"),
        ({"mask_tokens": 0.0, "dropout": 0.1}, "are run in every epoch: fit.dropout"),
        ({"mask_tokens": 0.0, "method": "prompt"}, "are run in every epoch: learned words"),
    ],
)
def test_frozen_layers_are_run_once_where_nothing_changes_below(
    work: Work, log: Build, fit: dict[str, Any], said: str
) -> None:
    recipe = work.recipe.model_copy(
        update={"fit": work.recipe.fit.model_copy(update={"freeze": 1, "epochs": 2, **fit})}
    )
    work = replace(work, recipe=recipe, progress=log())
    adapter = adapter_of(recipe.fit.method, recipe)
    config = finetune.configure(work, FP32, 20, adapter)

    finetune.fine_tune(work, None, work.parts[0], config, "t", adapter)

    assert any(said in note for note in work.progress.notes)


def test_an_adapter_has_a_learning_rate_of_its_own_and_the_head_the_usual(work: Work) -> None:
    usual, lora = (
        finetune.configure(work, FP32, 9000, adapter_of(name, work.recipe))
        for name in ("full", "lora")
    )

    assert lora.learning_rate > usual.learning_rate
    assert lora.head_learning_rate == usual.head_learning_rate
