"""A smaller run of bench/masking.py, and that work grows no faster than the text."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from takeroot.privacy import RECOGNISERS, Form, Masker
from takeroot.privacy.plain import plain

BENCH = Path(__file__).resolve().parents[2] / "bench"


@pytest.fixture(scope="module")
def bench():
    spec = importlib.util.spec_from_file_location("masking_bench", BENCH / "masking.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["masking_bench"] = module  # dataclasses look their module up
    sys.path.insert(0, str(BENCH))
    spec.loader.exec_module(module)
    sys.path.remove(str(BENCH))
    return module


def test_personal_data_is_found_and_what_looks_like_it_let_through(bench):
    figures = bench.measure(2600, seed=7)

    assert figures.written.total() == 8 * 2600
    assert {kind for kind in figures.written if figures.recall(kind) < bench.RECALL} == set()
    assert figures.overall() >= bench.PRECISION


@pytest.mark.parametrize(
    "run", ["1", "1 ", "1.", "4 ", "(1", "+1(", "a@a.", "1:", "[[]", "１\u200b"]
)
def test_candidates_do_not_outgrow_the_text(run):
    tried = [_tried(run * count) for count in (2_000, 4_000)]

    assert tried[1] <= 2.2 * tried[0] + 100


def _tried(text):
    """Candidates that were looked at closely, as a measure of the work that can be counted."""
    count = 0

    def fit(piece):
        nonlocal count
        count += 1
        return 0

    forms = [form for form in RECOGNISERS.values() if isinstance(form, Form)]
    for form in forms:
        list(replace(form, fit=fit).spans(plain(text).text))
    return count


def test_a_hostile_megabyte_is_masked():
    text = "([1." * 250_000

    assert Masker().mask(text).text == text
