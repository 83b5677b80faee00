"""Frozen matrices in bf16: the same numbers, and the originals afterwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from folders import FAMILIES

from takeroot.generation.held import held
from takeroot.generation.objective import Answers, Row, Writer
from takeroot.models.adapters.attach import attach, chosen

Build = Callable[..., Any]
ROWS = [Row([4, 5, 6, 7], [8, 9, 2]), Row([4, 9], [10, 2])]


def loss_and_gradients(made: Any, model: Writer) -> list[torch.Tensor]:
    """Of one batch in bf16."""
    model.zero_grad()
    loss = Answers(made.config.start).loss(model, ROWS, torch.bfloat16)
    loss.backward()  # type: ignore[no-untyped-call]
    return [loss.detach(), *(p.grad.clone() for p in model.parameters() if p.grad is not None)]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("method", ["lora", "adapter"])
def test_loss_and_gradients_are_the_same_to_the_bit(
    method: str, family: str, pretrained: Build
) -> None:
    made = pretrained(family)
    model = Writer(made.network)
    attach(chosen(method, {}), made.network)  # type: ignore[arg-type]
    before = loss_and_gradients(made, model)

    with held(model, torch.bfloat16):
        found = loss_and_gradients(made, model)

    assert len(found) == len(before) > 2
    assert all(map(torch.equal, found, before))


def test_only_frozen_matrices_are_held_and_originals_come_back(pretrained: Build) -> None:
    made = pretrained("qwen2")  # whose output layer is the table of embeddings
    attach(chosen("lora", {"targets": "q_proj"}), made.network)  # type: ignore[arg-type]
    before = {name: p.detach().clone() for name, p in made.network.named_parameters()}

    with held(made.network, torch.bfloat16):
        named = dict(made.network.named_parameters())
        kinds = {name: p.dtype for name, p in named.items()}

    low = {name for name, dtype in kinds.items() if dtype == torch.bfloat16}
    assert all(
        name.endswith(("proj.weight", "base_layer.weight", "lm_head.weight")) for name in low
    )
    assert not any("lora" in name for name in low)
    after = dict(made.network.named_parameters())
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], before[name]) for name in before)
    assert made.network.lm_head.weight is made.network.model.embed_tokens.weight


def test_an_error_inside_brings_the_originals_back(pretrained: Build) -> None:
    network = pretrained("llama").network.requires_grad_(False)

    with pytest.raises(KeyboardInterrupt), held(network, torch.bfloat16):
        raise KeyboardInterrupt

    assert {p.dtype for p in network.parameters()} == {torch.float32}
