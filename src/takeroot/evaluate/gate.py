"""Figures that must be reached, written as ``accuracy>=0.9``: for scripts that stop otherwise."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from typing import Any

from takeroot.errors import GateError, RecipeError

SIGNS = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}
FORM = re.compile(r"\s*([\w.]+)\s*(>=|<=|>|<)\s*([-+.\deE]+)\s*")


@dataclass(frozen=True)
class Gate:
    """A bound on a figure.

    Args:
        figure: Its name in the evaluation's JSON.
        sign: One of ``SIGNS``.
        bound: What the figure is held against.
    """

    figure: str
    sign: str
    bound: float


@dataclass(frozen=True)
class Verdict:
    """Whether a gate was met, and by which value."""

    gate: str
    value: float
    met: bool

    def to_json(self) -> dict[str, Any]:
        """The verdict as JSON values."""
        return asdict(self)


def parse(text: str) -> Gate:
    """The gate written as figure, sign and bound.

    Raises:
        RecipeError: If it is written otherwise.
    """
    match = FORM.fullmatch(text)
    try:
        bound = float(match[3]) if match else math.nan
    except ValueError:
        bound = math.nan
    if match is None or math.isnan(bound):
        raise RecipeError(f"--gate {text}: write it as FIGURE>=NUMBER, such as 'accuracy>=0.9'")
    return Gate(match[1], match[2], bound)


def check(figures: Mapping[str, Any], gates: Sequence[Gate]) -> list[Verdict]:
    """A verdict on each gate.

    Args:
        figures: An evaluation's JSON.
        gates: The bounds.

    Raises:
        RecipeError: If there is no such figure; the message names those there are.
    """
    numbers = {
        name: float(value)
        for name, value in figures.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
    verdicts = []
    for gate in gates:
        if gate.figure not in numbers:
            near = get_close_matches(gate.figure, numbers, 1)
            hint = f"did you mean {near[0]}? " if near else ""
            raise RecipeError(
                f"--gate {gate.figure}: no such figure; {hint}there is: {', '.join(numbers)}"
            )
        value = numbers[gate.figure]
        shown = f"{gate.figure}{gate.sign}{gate.bound:g}"
        verdicts.append(Verdict(shown, value, SIGNS[gate.sign](value, gate.bound)))
    return verdicts


def demand(verdicts: Sequence[Verdict]) -> None:
    """Nothing, if every gate was met.

    Raises:
        GateError: If one was not; the message tells every such figure.
    """
    missed = [
        f"{verdict.gate} is not met: {verdict.value:.4f}" for verdict in verdicts if not verdict.met
    ]
    if missed:
        raise GateError("gate: " + "; ".join(missed))
