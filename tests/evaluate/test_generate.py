"""Models that write texts, scored and compared."""

from __future__ import annotations

import pytest

from takeroot.bundle import Answer
from takeroot.errors import DataError
from takeroot.evaluate import compare, evaluate

GOLD = ["the parcel is late", "please refund me", "你好 世界"] * 10
GOOD = [Answer(text=text, tokens=3) for text in GOLD]
BAD = [Answer(text="no idea", tokens=2, reason="max_tokens") for _ in GOLD]
NONE = [Answer(text="", tokens=0) for _ in GOLD]
SCORES = ("rouge_1", "rouge_2", "rouge_l", "bleu", "chrf", "exact_match")


def test_what_is_word_for_word_right_scores_one():
    found = evaluate("generate", (), GOOD, GOLD, GOLD)

    assert {name: found.scores[name] for name in SCORES} == {
        name: pytest.approx(1.0) for name in SCORES
    }
    assert found.metric == "rouge_l"
    assert found.intervals["rouge_l"] == pytest.approx((1.0, 1.0))
    assert (found.scores["cut"], found.scores["tokens_mean"]) == (0, 3)


@pytest.mark.parametrize("answers", [BAD, NONE])
def test_what_has_nothing_in_common_scores_nothing(answers):
    found = evaluate("seq2seq", (), answers, GOLD, GOLD)

    assert [found.scores[name] for name in SCORES if name != "chrf"] == [0.0] * 5
    assert found.scores["chrf"] < 0.1
    assert found.scores["cut"] + found.scores["empty"] == 30


def test_intervals_hold_the_score_and_say_how_sure_it_is():
    half = [*GOOD[:15], *BAD[:15]]

    found = evaluate("generate", (), half, GOLD, GOLD)

    for name in SCORES:
        low, high = found.intervals[name]
        assert low < found.scores[name] < high
    # 30 rows, half of them right: 1.96 standard errors of a share are 0.18.
    low, high = found.intervals["exact_match"]
    assert high - low == pytest.approx(0.36, abs=0.06)


def test_the_better_of_two_models_is_named():
    found = compare("generate", (), BAD, [*GOOD[:20], *BAD[:10]], GOLD, GOLD)

    assert found.verdict.startswith("The second model is better: +66.67 points of rouge l (")
    assert "McNemar" not in found.verdict
    assert found.only_second == 20
    assert found.differences["bleu"].low > 0


def test_equal_models_show_no_difference():
    assert compare("generate", (), BAD, BAD, GOLD, GOLD).verdict.startswith("No clear difference")


def test_rows_without_reference_are_named():
    with pytest.raises(DataError, match=r"a\.csv:2: the row has no reference"):
        evaluate("generate", (), GOOD[:2], ["x", None], GOLD[:2], sources=["a.csv:1", "a.csv:2"])
    with pytest.raises(DataError, match="there is no row"):
        evaluate("generate", (), [], [], [])
