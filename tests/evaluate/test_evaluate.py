import json
from dataclasses import dataclass

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score

from takeroot.bundle.answer import Answer
from takeroot.errors import DataError
from takeroot.evaluate import evaluate

LABELS = ("card", "cash", "loan")


def answer(label, confidence=0.9, abstained=False):
    rest = (1 - confidence) / 2
    probabilities = {each: confidence if each == label else rest for each in LABELS}
    return Answer(
        label=label, confidence=confidence, probabilities=probabilities, abstained=abstained
    )


def texts(count):
    return [f"text {row}" for row in range(count)]


def random_rows(count=400, seed=0):
    generator = np.random.default_rng(seed)
    gold = [LABELS[each] for each in generator.integers(0, 3, count)]
    given = [
        answer(label if generator.random() < 0.8 else "card", float(generator.uniform(0.4, 1)))
        for label in gold
    ]
    return gold, given


def test_scores_equal_scikit_learn():
    gold, given = random_rows()

    found = evaluate("classify", LABELS, given, gold, texts(400)).to_json()

    names = [each.label for each in given]
    assert found["n"] == 400
    assert found["accuracy"] == pytest.approx(accuracy_score(gold, names), abs=1e-6)
    assert found["macro_f1"] == pytest.approx(f1_score(gold, names, average="macro"), abs=1e-6)


def test_every_interval_holds_its_score():
    gold, given = random_rows()

    found = evaluate("classify", LABELS, given, gold, texts(400))

    for name, (low, high) in found.intervals.items():
        assert low <= found.scores[name] <= high


def test_an_abstained_row_counts_as_right_or_as_wrong_as_asked():
    given = [answer("card"), answer("cash", abstained=True), answer("loan"), answer("card")]

    found = evaluate("classify", LABELS, given, ["card", "cash", "loan", "loan"], texts(4))

    assert found.scores["accuracy"] == 0.75
    assert found.scores["accuracy_abstained_wrong"] == 0.5
    assert (found.scores["abstained"], found.scores["coverage"]) == (1, 0.75)
    assert found.scores["selective_accuracy"] == pytest.approx(2 / 3)


def test_rows_that_no_label_fits_are_to_be_abstained_from():
    given = [
        answer("card"),
        answer("cash", abstained=True),
        answer("loan", 0.3, True),
        answer("card"),
    ]

    gold = ["card", "cash", "other", "other"]
    found = evaluate("classify", LABELS, given, gold, texts(4), out_of_scope_label="other").scores

    assert (found["in_scope"], found["out_of_scope"]) == (2, 2)
    assert found["accuracy"] == 1.0
    assert found["in_scope_accuracy"] == found["in_scope_rejected"] == 0.5
    assert found["out_of_scope_recall"] == 0.5
    assert found["selective_accuracy"] == 0.5  # of the two answered, one lies outside


def test_the_scope_score_is_judged_by_auroc():
    gold = ["card", "card", "other", "other", "cash"]
    scores = [3.0, 1.0, 2.0, 0.0, 4.0]

    found = evaluate(
        "classify",
        LABELS,
        [answer("card")] * 5,
        gold,
        texts(5),
        out_of_scope_label="other",
        scope_scores=scores,
    )

    inside = [label != "other" for label in gold]
    assert found.scores["out_of_scope_auroc"] == pytest.approx(roc_auc_score(inside, scores))


def test_confusions_come_most_frequent_first_with_the_surest_texts():
    given = [answer("cash", 0.5), answer("cash", 0.8), answer("loan"), answer("card")]

    found = evaluate("classify", LABELS, given, ["card"] * 4, texts(4)).confusions

    assert [(each.gold, each.predicted, each.count) for each in found] == [
        ("card", "cash", 2),
        ("card", "loan", 1),
    ]
    assert found[0].texts == ("text 1", "text 0")


def test_the_evaluation_of_many_rows_and_labels_stays_small():
    labels = tuple(f"label {each}" for each in range(150))
    generator = np.random.default_rng(0)
    gold = [labels[each] for each in generator.integers(0, 150, 3000)]
    given = [Answer(label=labels[each]) for each in generator.integers(0, 150, 3000)]

    body = evaluate("classify", labels, given, gold, ["long " * 200] * 3000).to_json()

    assert len(json.dumps(body)) < 50_000
    assert len(body["confusions"]) == 20
    assert len(body["risk_coverage"]) == 30


def test_a_label_the_model_does_not_know_is_named_with_its_place():
    with pytest.raises(DataError, match=r"test\.csv:7: label 'lone' is not one of: card, cash"):
        evaluate("classify", LABELS, [answer("card")], ["lone"], ["a"], sources=["test.csv:7"])


def test_a_row_without_label_is_refused():
    with pytest.raises(DataError, match="row 1: the row has no label"):
        evaluate("classify", LABELS, [answer("card")], [None], ["a"])


def test_no_rows_are_refused():
    with pytest.raises(DataError, match="no labelled row"):
        evaluate("classify", LABELS, [], [], [])


def test_one_row_is_enough():
    found = evaluate("pair", LABELS, [answer("card")], ["cash"], [("one", "two")])

    assert found.scores["accuracy"] == 0
    assert found.confusions[0].texts == ("one ⟷ two",)


def multi(*labels, **probabilities):
    return Answer(labels=labels, probabilities={each: 0.1 for each in LABELS} | probabilities)


def test_multilabel_scores_equal_scikit_learn():
    gold = [("card",), ("card", "cash"), (), ("loan",)]
    given = [multi("card"), multi("card", "loan"), multi(), multi("cash")]

    found = evaluate("multilabel", LABELS, given, gold, texts(4)).scores

    truth = [[1, 0, 0], [1, 1, 0], [0, 0, 0], [0, 0, 1]]
    guess = [[1, 0, 0], [1, 0, 1], [0, 0, 0], [0, 1, 0]]
    for average in ("macro", "micro"):
        expected = f1_score(truth, guess, average=average, zero_division=0)
        assert found[f"{average}_f1"] == pytest.approx(expected)
    assert found["subset_accuracy"] == 0.5


def test_multilabel_mistakes_are_swaps_losses_and_extras():
    given = [multi("cash"), multi(), multi("card")]

    found = evaluate("multilabel", LABELS, given, [("card",), ("loan",), ()], texts(3)).confusions

    assert {(each.gold, each.predicted) for each in found} == {
        ("card", "cash"),
        ("loan", None),
        (None, "card"),
    }


@dataclass
class Piece:
    start: int
    end: int
    label: str
    confidence: float = 0.8


def test_entities_are_scored_strictly():
    gold = [(Piece(0, 3, "card"), Piece(4, 7, "cash")), ()]
    given = [Answer(entities=(Piece(0, 3, "card"), Piece(4, 6, "cash"))), Answer()]

    found = evaluate("tag", LABELS, given, gold, ["one two", "three"])

    assert found.metric == "entity_f1"
    assert found.score == found.scores["precision"] == found.scores["recall"] == 0.5
    assert found.scores["text_accuracy"] == 0.5


def test_entity_mistakes_show_the_stretch_in_its_text():
    gold = [(Piece(4, 7, "cash"),)]
    given = [Answer(entities=(Piece(0, 3, "card"), Piece(4, 6, "loan")))]

    found = evaluate("tag", LABELS, given, gold, ["one two"]).confusions

    shown = {(each.gold, each.predicted): each.texts[0] for each in found}
    assert shown == {("cash", "loan"): "one [tw]o", (None, "card"): "[one] two"}


def test_a_model_that_finds_no_entity_scores_zero():
    found = evaluate("tag", LABELS, [Answer()], [(Piece(0, 3, "card"),)], ["one"])

    assert found.score == 0
    assert found.scores["ece"] == 0
