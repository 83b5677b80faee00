from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
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
