from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from takeroot.errors import DiskFullError
from takeroot.models.adapters.places import freeze
from takeroot.models.text_model import TextModel
from takeroot.tasks import Classify, Encoded
from takeroot.train import Labelled, TrainConfig, train
from takeroot.train.batches import collate
from takeroot.train.frozen import AboveFrozen, outputs_below

Build = Callable[..., Any]
TASK = Classify(("a", "b"))
FP32 = torch.float32


@pytest.fixture
def rows() -> list[Encoded]:
    """Forty texts of 3 to 11 tokens."""
    random = np.random.default_rng(0)
    found = []
    for number in range(40):
        ids = [2, *random.integers(5, 90, 1 + number % 9).tolist(), 3]
        found.append(Encoded(ids, [0] * len(ids), (), number % 2))
    return found


@pytest.fixture
def model(tiny_model: Build) -> TextModel:
    """A network whose lower layer is frozen."""
    found: TextModel = tiny_model(TASK)
    freeze(found.encoder, 1)
    return found


@pytest.mark.parametrize("kind", ["bert", "roberta", "electra"])
def test_below_and_above_are_the_whole(kind: str, tiny_model: Build, rows: list[Encoded]) -> None:
    model, batch = tiny_model(TASK, kind), collate(rows)

    with torch.inference_mode():
        hidden = model.below(batch.ids, batch.mask, batch.types, 1)
        found = model.above(hidden, batch.mask, 1)
        whole = model.embed(batch.ids, batch.mask, batch.types)

    assert torch.equal(found, whole)


def test_kept_outputs_are_those_of_each_row(model: TextModel, rows: list[Encoded]) -> None:
    kept = outputs_below(model, rows, 1, FP32)

    hidden, mask = kept.of([7, 3])

    assert mask.sum(dim=1).tolist() == [len(rows[7].ids), len(rows[3].ids)]
    alone = collate([rows[3]])
    with torch.inference_mode():
        expected = model.below(alone.ids, alone.mask, alone.types, 1)[0]
    torch.testing.assert_close(hidden[1, : len(rows[3].ids)], expected, atol=1e-5, rtol=0)


def test_training_from_kept_outputs_ends_where_training_without_does(
    tiny_model: Build, rows: list[Encoded]
) -> None:
    plain, kept = tiny_model(TASK), tiny_model(TASK)
    for each in (plain, kept):
        freeze(each.encoder, 1)
    config = TrainConfig(epochs=3, learning_rate=0.01, batch_size=8)
    train(plain, Labelled(TASK), rows, config)

    outputs = outputs_below(kept, rows, 1, FP32)
    train(kept, AboveFrozen(Labelled(TASK), rows, outputs, 1), range(40), config)

    wanted = plain.state_dict()
    for name, value in kept.state_dict().items():
        # Sums over a batch of another width may be rounded in another order, and Adam grows that.
        torch.testing.assert_close(value, wanted[name], atol=1e-3, rtol=0, msg=name)


def test_outputs_beyond_the_limit_are_mapped_from_a_file(
    model: TextModel, rows: list[Encoded]
) -> None:
    here, there = (outputs_below(model, rows, 1, FP32, in_memory=limit) for limit in (1 << 30, 0))

    assert isinstance(there.values, np.memmap) and not isinstance(here.values, np.memmap)
    np.testing.assert_array_equal(there.values, here.values)


def test_a_disk_without_room_is_said(
    model: TextModel, rows: list[Encoded], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)

    with pytest.raises(DiskFullError, match=r"no room for .* TMPDIR .* fit.freeze: 0"):
        outputs_below(model, rows, 1, FP32, in_memory=0)
