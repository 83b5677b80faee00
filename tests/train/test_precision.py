from __future__ import annotations

import pytest
import torch

from takeroot.errors import RecipeError
from takeroot.train import precision
from takeroot.train.precision import GAIN, ROUNDS, autocast, choose


@pytest.mark.parametrize(("name", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16)])
def test_what_is_asked_for_is_taken(name: str, dtype: torch.dtype):
    assert choose(name) == dtype


@pytest.mark.parametrize(
    ("speedup", "dtype"), [(GAIN - 0.01, torch.float32), (GAIN + 0.01, torch.bfloat16)]
)
def test_auto_takes_bf16_only_where_it_pays(
    speedup: float, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(precision, "bf16_speedup", lambda: speedup)

    assert choose("auto") == dtype


def test_a_machine_that_is_slower_for_a_while_gives_the_same_answer(
    monkeypatch: pytest.MonkeyPatch,
):
    now, readings = [0.0], [0]

    def clock() -> float:
        if readings[0] % 2:  # a product ends: every second one is bf16's, and takes half as long
            product = readings[0] // 2
            slower = 3 if product < ROUNDS else 1  # in the first half of all products
            now[0] += slower * (0.5 if product % 2 else 1.0)
        readings[0] += 1
        return now[0]

    monkeypatch.setattr(precision, "CLOCK", clock)

    assert precision.bf16_speedup.__wrapped__() == 2.0


@pytest.mark.parametrize("name", ["fp16", "", "BF16"])
def test_another_format_is_refused(name: str):
    with pytest.raises(RecipeError, match=rf"{name!r} is not one of: auto, fp32, bf16"):
        choose(name)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_matrix_products_are_computed_in_the_chosen_format(dtype: torch.dtype):
    with autocast(dtype):
        product = torch.ones(2, 2) @ torch.ones(2, 2)

    assert product.dtype == dtype
