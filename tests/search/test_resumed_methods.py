"""Every way of training goes on to the same weights, whatever it remembers from step to step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from takeroot.models.adapters import ADAPTERS
from takeroot.models.load import load
from takeroot.search import finetune
from takeroot.search.methods import adapter_of
from takeroot.search.work import Work
from takeroot.stop import Stop, Stopped
from takeroot.train.checkpoints import Checkpoints

Build = Callable[..., Any]


class StopAt(Stop):
    """Asked to stop when it is looked at for the n-th time: after that many steps."""

    def __init__(self, looks: int) -> None:
        self.looks = looks
        super().__init__()

    @property
    def wanted(self) -> bool:
        self.looks -= 1
        return self.looks == 0

    @wanted.setter
    def wanted(self, value: bool) -> None:
        """Only the number of looks counts."""


@pytest.fixture
def work(work_of: Build, shop_examples: Build, encoder_folder: Path) -> Work:
    fit = {"epochs": 3, "batch_size": 4, "learning_rate": 0.01, "dropout": 0.1}
    found: Work = work_of(shop_examples(24), fit=fit)
    return replace(found, pretrained=load(str(encoder_folder)), max_tokens=16)


def tuned(
    work: Work, folder: Path, method: str = "full", stop: Stop | None = None
) -> dict[str, torch.Tensor]:
    """The weights of a training whose states are in a folder."""
    kept = replace(work, keep=Checkpoints(folder, every_s=0.0, stop=stop))
    config, adapter = finetune.configure(work, torch.float32, 16), adapter_of(method, work.recipe)
    made = finetune.fine_tune(kept, None, work.parts[0], config, "training", adapter)
    return made.model.state_dict()


@pytest.mark.parametrize("method", ["full", *ADAPTERS])
def test_a_stopped_method_goes_on_to_the_same_weights(
    work: Work, tmp_path: Path, method: str
) -> None:
    whole = tuned(work, tmp_path / "whole", method)
    with pytest.raises(Stopped):
        tuned(work, tmp_path / "cut", method, StopAt(7))

    resumed = tuned(work, tmp_path / "cut", method)

    assert all(torch.equal(resumed[name], weights) for name, weights in whole.items())


def test_a_training_above_frozen_layers_goes_on_to_the_same_weights(
    work: Work, tmp_path: Path
) -> None:
    changes = {"freeze": 1, "mask_tokens": 0.0, "dropout": 0.0}
    changed = work.recipe.fit.model_copy(update=changes)
    work = replace(work, recipe=work.recipe.model_copy(update={"fit": changed}))
    whole = tuned(work, tmp_path / "whole")
    with pytest.raises(Stopped):
        tuned(work, tmp_path / "cut", stop=StopAt(5))

    resumed = tuned(work, tmp_path / "cut")

    assert all(torch.equal(resumed[name], weights) for name, weights in whole.items())
