from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, softmax

from takeroot.bundle.decode import DECODERS, decode, probabilities
from takeroot.bundle.outputs import Outputs

LOGITS = np.array([[2.0, 0.0, -1.0], [-3.0, 1.0, 0.5]], np.float32)


def test_classify_gives_calibrated_softmax(make_spec):
    spec = make_spec(calibration={"temperature": 2.0})
    expected = softmax(LOGITS / 2, axis=1)

    first, second = decode(spec, Outputs(LOGITS), {}, ["x", "y"])

    assert (first.label, second.label) == ("a", "b")
    assert list(first.probabilities.values()) == pytest.approx(expected[0])
    assert second.confidence == pytest.approx(expected[1, 1])
    assert (first.abstained, first.reason, first.labels, first.entities) == (False, None, (), ())


def test_huge_logits_do_not_overflow(make_spec):
    logits = np.array([[1e30, -1e30, 0]], np.float32)

    for task in ("classify", "multilabel"):
        table = probabilities(make_spec(task=task), logits)
        assert np.isfinite(table).all()


def test_multilabel_takes_what_reaches_its_threshold_most_probable_first(make_spec):
    spec = make_spec(task="multilabel", thresholds={"a": 0.9, "c": 0.2})
    p = expit(LOGITS)

    first, second = decode(spec, Outputs(LOGITS), {}, ["x", "y"])

    assert first.labels == ("b", "c")  # a: 0.88 < 0.9; b: 0.5 by default; c: 0.27
    assert second.labels == ("b", "c")
    assert list(first.probabilities.values()) == pytest.approx(p[0])


def test_multilabel_confidence_is_its_least_certain_decision(make_spec):
    answer = decode(make_spec(task="multilabel"), Outputs(LOGITS[1:]), {}, ["x"])[0]

    assert answer.labels == ("b", "c")
    assert answer.confidence == pytest.approx(expit(0.5))  # c is the closest call


def test_multilabel_may_find_nothing(make_spec):
    answer = decode(make_spec(task="multilabel"), Outputs(LOGITS - 9), {}, ["x", "y"])[0]

    assert answer.labels == ()
    assert answer.to_json()["labels"] == []


def test_tag_gives_entities_in_the_text_as_given(make_spec):
    spec = make_spec(task="tag", labels=("PER",), normalisation="none")
    logits = np.array([[0, 5, 0], [0, 0, 5], [5, 0, 0]], np.float32)
    words = np.array([[0, 3], [4, 7], [8, 12]])

    answer = decode(spec, Outputs([logits], words=[words]), {}, ["Ann Lee sang"])[0]

    (entity,) = answer.entities
    assert (entity.start, entity.end, entity.text) == (0, 7, "Ann Lee")
    assert entity.confidence == pytest.approx(softmax([5, 0, 0])[0])
    assert answer.confidence == entity.confidence


def test_tag_of_a_text_without_words_is_empty_and_sure(make_spec):
    spec = make_spec(task="tag", labels=("PER",), normalisation="none")
    empty = Outputs([np.zeros((0, 3), np.float32)], words=[np.zeros((0, 2), np.int64)])

    answer = decode(spec, empty, {}, [" "])[0]

    assert (answer.entities, answer.confidence) == ((), 1.0)


def test_out_of_scope_texts_are_named_and_still_labelled(make_spec):
    spec = make_spec(abstention={"method": "energy", "threshold": 2.0})

    first, second = decode(spec, Outputs(LOGITS), {}, ["x", "y"])

    assert (first.abstained, first.reason) == (False, None)  # log(e^2 + 1 + e^-1) = 2.17
    assert (second.abstained, second.reason, second.label) == (True, "out_of_scope", "b")


@pytest.mark.parametrize("nothing", ["", "  \n", ("", " ")])
def test_a_model_that_abstains_does_so_where_there_is_nothing_to_read(make_spec, nothing):
    spec = make_spec(abstention={"method": "energy", "threshold": -99.0})

    answer = decode(spec, Outputs(LOGITS[:1]), {}, [nothing])[0]

    assert (answer.abstained, answer.reason) == (True, "empty_text")


def test_no_inputs_give_no_answers(make_spec):
    for task in ("classify", "pair", "multilabel"):
        assert decode(make_spec(task=task), Outputs(np.zeros((0, 3))), {}, []) == []


def test_every_task_has_a_decoder():
    assert set(DECODERS) == {"classify", "multilabel", "pair", "tag", "generate", "seq2seq"}
