import json

import pytest

from takeroot.bundle.answer import Answer
from takeroot.evaluate import compare

LABELS = ("a", "b")


def answers(pattern):
    return [Answer(label=each) for each in pattern]


def texts(count):
    return [f"text {row}" for row in range(count)]


def test_a_clearly_better_model_wins():
    gold = "ab" * 100
    weak = "aa" * 100

    found = compare("classify", LABELS, answers(weak), answers(gold), list(gold), texts(200))

    assert found.differences["accuracy"].mean == 0.5
    assert (found.only_first, found.only_second) == (0, 100)
    assert found.p_value == pytest.approx(2 * 0.5**100)
    assert found.verdict.startswith("The second model is better: +50.00 points of accuracy")


def test_one_row_more_right_is_no_clear_difference():
    gold = "ab" * 50
    found = compare(
        "classify", LABELS, answers("b" + gold[1:]), answers(gold), list(gold), texts(100)
    )

    assert found.verdict.startswith("No clear difference: +1.00 points of accuracy")
    assert [(each.text, each.better) for each in found.changed] == [("text 0", "second")]


def test_a_model_against_itself_differs_in_nothing():
    given = answers("abba")

    found = compare("classify", LABELS, given, given, list("aabb"), texts(4))

    assert all(each.mean == each.low == each.high == 0 for each in found.differences.values())
    assert found.p_value == 1.0


def test_swapping_the_models_swaps_the_sign():
    first, second, gold = answers("aaab" * 20), answers("abab" * 20), list("abbb" * 20)

    there = compare("classify", LABELS, first, second, gold, texts(80))
    back = compare("classify", LABELS, second, first, gold, texts(80))

    for name, gap in there.differences.items():
        assert gap.mean == pytest.approx(-back.differences[name].mean)


def test_multilabel_models_are_compared_by_macro_f1():
    first = [Answer(labels=("a",)), Answer(labels=())]
    second = [Answer(labels=("a",)), Answer(labels=("b",))]

    found = compare("multilabel", LABELS, first, second, [("a",), ("b",)], texts(2))

    assert found.metric == "macro_f1"
    assert (found.first["macro_f1"], found.second["macro_f1"]) == (0.5, 1.0)


def test_the_comparison_is_json():
    given = answers("ab")

    body = compare("classify", LABELS, given, given, list("ab"), texts(2)).to_json()

    assert json.loads(json.dumps(body))["n"] == 2
