"""Gates: how they are written, and when they are met."""

from __future__ import annotations

import pytest

from takeroot.errors import GateError, RecipeError
from takeroot.evaluate.gate import Gate, check, demand, parse

FIGURES = {"accuracy": 0.9, "abstained": 3, "task": "classify", "ok": True}


def test_a_gate_is_figure_sign_and_bound() -> None:
    assert parse(" macro_f1 >= 1e-2 ") == Gate("macro_f1", ">=", 0.01)


@pytest.mark.parametrize("text", ["accuracy", "accuracy=0.9", ">=0.9", "accuracy>=high", "a>=nan"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(RecipeError, match="write it as FIGURE>=NUMBER"):
        parse(text)


@pytest.mark.parametrize(
    ("text", "met"),
    [
        ("accuracy>=0.9", True),
        ("accuracy>0.9", False),
        ("accuracy<=0.9", True),
        ("abstained<3", False),
    ],
)
def test_bounds_are_held_as_written(text: str, met: bool) -> None:
    assert [verdict.met for verdict in check(FIGURES, [parse(text)])] == [met]


def test_unknown_figure_names_the_nearest() -> None:
    with pytest.raises(RecipeError, match="did you mean accuracy"):
        check(FIGURES, [parse("acuracy>0")])


def test_a_figure_that_could_not_be_computed_meets_nothing() -> None:
    verdicts = check({"accuracy": float("nan")}, [parse("accuracy>=0")])

    assert not verdicts[0].met


def test_every_missed_gate_is_told() -> None:
    verdicts = check(FIGURES, [parse("accuracy>0.95"), parse("accuracy>0.5"), parse("abstained<1")])

    with pytest.raises(GateError, match=r"accuracy>0.95 is not met: 0.9.*abstained<1"):
        demand(verdicts)
