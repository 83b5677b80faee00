from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import writers
from torch import nn

from takeroot.models.config import ARCHITECTURES
from takeroot.tasks import Classify
from takeroot.train.dropout import set_dropout


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_hidden_units_are_dropped_and_attention_is_not(kind: str, tiny_model: Callable[..., Any]):
    model = tiny_model(Classify(("a", "b")), kind)

    set_dropout(model, 0.3)

    found = {name: m.p for name, m in model.named_modules() if isinstance(m, nn.Dropout)}
    attention = {p for name, p in found.items() if name.endswith("attention.self.dropout")}
    hidden = {p for name, p in found.items() if not name.endswith("attention.self.dropout")}
    assert (attention, hidden) == ({0.0}, {0.3})


@pytest.mark.parametrize("family", [writers.t5, writers.bart, writers.marian])
def test_without_dropout_an_encoder_decoder_computes_the_same_in_training(
    family: Callable[..., Any],
):
    model, ids = family(), torch.arange(3, 9).unsqueeze(0)
    set_dropout(model, 0.0)

    found = [
        each()(input_ids=ids, decoder_input_ids=ids).logits for each in (model.eval, model.train)
    ]

    assert torch.equal(*found)


def test_an_encoder_decoder_drops_hidden_units_and_no_attention():
    model = writers.bart()

    set_dropout(model, 0.3)

    kept = {getattr(each, "dropout", None) for each in model.modules() if hasattr(each, "q_proj")}
    layer = model.model.decoder.layers[0]
    assert (kept, layer.dropout, layer.activation_dropout) == ({0.0}, 0.3, 0.3)
