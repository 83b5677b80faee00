from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from takeroot.bundle import Outputs
from takeroot.data import Example
from takeroot.search.choose import Candidate, candidate, chance_of_being_better, choose
from takeroot.search.work import Judged, Work, cross_validation

ROWS = [Example(f"text {k}", "ab"[k % 2]) for k in range(100)]


@pytest.fixture
def work(work_of: Callable[..., Work]) -> Work:
    return work_of(ROWS)


def judged(work: Work, method: str, wrong: set[int], rows: Any = range(100)) -> Candidate:
    """A candidate that errs on some rows."""
    numbers = np.array(rows)
    right = numbers % 2
    given = np.where(np.isin(numbers, list(wrong)), 1 - right, right)
    return candidate(work, method, 1.0, Judged(numbers, Outputs(4.0 * np.eye(2)[given])))


def test_a_candidate_is_scored_by_its_judged_rows(work: Work) -> None:
    found = judged(work, "tfidf", {0, 1, 2, 3})

    assert (found.method, found.seconds, found.score) == ("tfidf", 1.0, pytest.approx(0.96))


def test_the_cheaper_of_equal_candidates_wins(work: Work) -> None:
    candidates = [judged(work, name, set(range(10))) for name in ("tfidf", "probe", "full")]

    assert choose(work, candidates).method == "tfidf"


def test_a_hair_better_is_no_reason_to_pay_more(work: Work) -> None:
    candidates = [judged(work, "tfidf", set(range(10))), judged(work, "full", set(range(5, 14)))]

    assert choose(work, candidates).method == "tfidf"


def test_a_clearly_better_dearer_candidate_wins(work: Work) -> None:
    candidates = [judged(work, "tfidf", set(range(30))), judged(work, "full", set(range(5)))]

    assert choose(work, candidates).method == "full"


def test_a_worse_candidate_between_does_not_matter(work: Work) -> None:
    wrong = {"tfidf": set(range(20)), "probe": set(range(60)), "full": set(range(5))}

    found = choose(work, [judged(work, name, rows) for name, rows in wrong.items()])

    assert found.method == "full"


def test_the_one_candidate_wins(work: Work) -> None:
    assert choose(work, [judged(work, "full", set(range(90)))]).method == "full"


def test_only_rows_judged_by_both_are_compared(work: Work) -> None:
    cheap = judged(work, "probe", set(range(50, 100)))
    dear = judged(work, "full", {0, 1, 2, 3, 4}, rows=range(0, 50))

    assert cheap.score < dear.score
    assert chance_of_being_better(work, cheap, dear) < 0.01


def test_every_verdict_is_told(work: Work, log: Any) -> None:
    told = log()
    work = replace(work, progress=told)

    choose(work, [judged(work, "tfidf", set(range(30))), judged(work, "full", set())])

    assert told.notes == [
        "full (1.0000) is chosen over tfidf (0.7000): ahead in 100% of bootstrap resamples"
    ]


def surer(work: Work, method: str, wrong: set[int], sure: float) -> Candidate:
    """A candidate that errs on some rows and is about as sure of each right answer as given."""
    numbers = np.arange(100)
    right = numbers % 2
    given = np.where(np.isin(numbers, list(wrong)), 1 - right, right)
    strength = np.where(np.isin(numbers, list(wrong)), 1.0, sure + 0.01 * (numbers % 7))
    return candidate(
        work, method, 1.0, Judged(numbers, Outputs(strength[:, None] * np.eye(2)[given]))
    )


def test_of_few_rows_the_log_loss_tells_what_the_hits_do_not(work: Work) -> None:
    candidates = [surer(work, "probe", {0, 1, 2}, 1.2), surer(work, "full", {3, 4, 5}, 4.0)]

    few = replace(work, parts=cross_validation(work.rows, 0))

    assert choose(few, candidates).method == "full"


def test_the_log_loss_does_not_outweigh_the_metric(work: Work) -> None:
    candidates = [surer(work, "probe", {0}, 1.2), surer(work, "full", set(range(6)), 4.0)]

    few = replace(work, parts=cross_validation(work.rows, 0))

    assert choose(few, candidates).method == "probe"


def test_of_many_rows_the_metric_alone_decides(work: Work) -> None:
    candidates = [surer(work, "probe", {0, 1, 2}, 1.2), surer(work, "full", {3, 4, 5}, 4.0)]

    assert choose(work, candidates).method == "probe"
