"""The tensors of our models."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from takeroot.bundle import Answer, Entity
from takeroot.serve.faults import ServeError
from takeroot.serve.v2.signature import OUTPUTS_OF, Wanted, signature_of

LABELS = ("a", "b", "ü:c")
ANSWERS = [
    Answer("b", confidence=0.5, probabilities={"a": 0.25, "b": 0.5, "ü:c": 0.25}),
    Answer(
        "a",
        confidence=0.75,
        probabilities={"ü:c": 0.25, "b": 0.0, "a": 0.75},
        abstained=True,
        reason="out_of_scope",
    ),
]


def values(name: str, answers: list[Answer], task: str = "classify", **wanted: Any) -> list[Any]:
    """The elements of one output."""
    return signature_of(task, LABELS).column(Wanted(name, **wanted), answers).values


def test_each_task_has_its_tensors() -> None:
    assert signature_of("pair", LABELS).inputs == ("text", "second")
    assert signature_of("tag", LABELS).inputs == ("text",)
    assert OUTPUTS_OF["multilabel"][0] == "labels"
    assert OUTPUTS_OF["tag"] == ("entities", "confidence")


def test_an_answer_becomes_its_outputs() -> None:
    assert values("label", ANSWERS) == ["b", "a"]
    assert values("confidence", ANSWERS) == [0.5, 0.75]
    assert values("probabilities", ANSWERS) == [0.25, 0.5, 0.25, 0.75, 0.0, 0.25]
    assert values("abstained", ANSWERS) == [False, True]
    assert values("reason", ANSWERS) == ["", "out_of_scope"]


def test_labels_and_entities_are_lists_in_json() -> None:
    several = Answer(labels=("ü:c", "a"), probabilities={})
    entity = Entity(0, 3, "PER", "安娜ü", 0.5)

    assert [json.loads(each) for each in values("labels", [several], "multilabel")] == [
        ["ü:c", "a"]
    ]
    (found,) = values("entities", [Answer(entities=(entity,))], "tag")
    assert json.loads(found) == [
        {"start": 0, "end": 3, "label": "PER", "text": "安娜ü", "confidence": 0.5}
    ]
    assert values("entities", [Answer()], "tag") == ["[]"]


def test_the_highest_probabilities_come_as_value_index_label() -> None:
    column = signature_of("classify", LABELS).column(Wanted("probabilities", top=2), ANSWERS)

    assert (column.datatype, column.shape) == ("BYTES", (2, 2))
    assert column.values == ["0.500000:1:b", "0.250000:0:a", "0.750000:0:a", "0.250000:2:ü:c"]


def test_more_classes_than_there_are_give_all() -> None:
    assert len(values("probabilities", ANSWERS[:1], top=2**40)) == 3


def test_the_raw_form_of_an_output_is_the_protocols() -> None:
    signature = signature_of("classify", LABELS)

    label, confidence, _, abstained, _ = (
        signature.column(each, ANSWERS).raw() for each in signature.choose(())
    )

    assert label == b"\1\0\0\0b\1\0\0\0a"
    assert np.frombuffer(confidence, "<f4").tolist() == [0.5, 0.75]
    assert abstained == b"\0\1"


def test_two_inputs_become_pairs_in_any_order() -> None:
    tensors = {"second": ["c", "d"], "text": ["a", "b"]}

    assert signature_of("pair", LABELS).read(tensors) == [("a", "c"), ("b", "d")]


@pytest.mark.parametrize(
    ("task", "tensors"),
    [
        ("classify", {}),
        ("classify", {"txt": ["a"]}),
        ("classify", {"text": ["a"], "second": ["b"]}),
        ("pair", {"text": ["a"]}),
        ("pair", {"text": ["a"], "second": ["b", "c"]}),
    ],
)
def test_inputs_that_are_not_the_models_are_refused(
    task: str, tensors: dict[str, list[str]]
) -> None:
    with pytest.raises(ServeError, match="text"):
        signature_of(task, LABELS).read(tensors)


@pytest.mark.parametrize(
    "wanted",
    [
        (Wanted("labels"),),
        (Wanted("label"), Wanted("label")),
        (Wanted("label", top=1),),
    ],
)
def test_outputs_that_cannot_be_given_are_refused(wanted: tuple[Wanted, ...]) -> None:
    with pytest.raises(ServeError) as caught:
        signature_of("classify", LABELS).choose(wanted)

    assert caught.value.code == "invalid_request"
