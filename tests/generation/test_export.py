"""What CTranslate2 makes of a network is the network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from folders import FAMILIES

from takeroot.errors import ModelError
from takeroot.generation.engine import Engine
from takeroot.generation.export import convert
from takeroot.generation.objective import Answers, Row, Writer

Build = Callable[..., Any]
families = pytest.mark.parametrize("family", FAMILIES)


def rows_of(made: Any) -> list[Row]:
    """Rows of the model's own tokens, each answer with its end."""
    end = made.config.ends[0]
    return [Row([5, 6, 7, 8], [9, 10, end]), Row([8, 9], [5, 6, 7, end])]


def engine_of(made: Any, files: dict[str, bytes]) -> Engine:
    causal = made.config.family.causal
    return Engine(files, made.tokenizer, causal=causal, ends=made.tokens(made.config.ends))


@families
def test_fp32_gives_the_networks_probabilities(family: str, pretrained: Build) -> None:
    made = pretrained(family)
    rows = rows_of(made)

    found = engine_of(made, convert(made.network, made, "fp32")).judge(rows)

    wanted = Answers(made.config.start).judge(Writer(made.network), rows)
    assert np.allclose(found.losses, wanted.losses, rtol=1e-3, atol=1e-3)


@families
def test_greedy_answers_are_the_networks_likeliest_tokens(family: str, pretrained: Build) -> None:
    made = pretrained(family)
    rows = rows_of(made)

    answers = engine_of(made, convert(made.network, made, "fp32")).answers(rows, 6)

    taught = [Row(row.prompt, ids) for row, ids in zip(rows, answers, strict=True) if ids]
    judged = Answers(made.config.start).judge(Writer(made.network), taught)
    assert judged.right.tolist() == judged.tokens.tolist()


@families
def test_converting_leaves_the_network_as_it_is(family: str, pretrained: Build) -> None:
    made = pretrained(family)
    before = {name: value.clone() for name, value in made.network.state_dict().items()}

    convert(made.network, made, "int8")

    after = made.network.state_dict()
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], before[name]) for name in before)


def test_int8_is_smaller(pretrained: Build) -> None:
    made = pretrained("llama")

    whole, small = (convert(made.network, made, each) for each in ("fp32", "int8"))

    assert len(small["model.bin"]) < 0.5 * len(whole["model.bin"])


def test_what_ctranslate2_cannot_take_is_a_model_error(pretrained: Build) -> None:
    made = pretrained("llama")
    made.network.config.quantization_config = {"quant_method": "none such"}

    with pytest.raises(ModelError, match="CTranslate2 cannot take"):
        convert(made.network, made, "fp32")
