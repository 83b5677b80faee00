from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer

from takeroot.bundle import Outputs, Spec
from takeroot.data.example import Example
from takeroot.export import artifact, make
from takeroot.export.artifact import agreement, calibration_packs, decide
from takeroot.tasks import TASKS, Encoded, encode_examples
from takeroot.train.outputs import network_outputs

Build = Callable[..., Any]


def spec_of(task: str = "classify", **values: Any) -> Spec:
    plain = {"normalisation": "none"} if task == "tag" else {}
    known = {"name": "tiny", "task": task, "labels": ("a", "b", "c"), "runtime": "onnx"}
    return Spec(**{**known, "token_types": True, "max_tokens": 16, **plain, **values})


def row(rate: float, drop: float) -> dict[str, Any]:
    return {"texts_per_s": rate, "drop": drop, "drop_interval": [drop - 0.01, drop + 0.01]}


@pytest.mark.parametrize(
    ("rate", "drop", "kept", "reason"),
    [
        (
            200.0,
            0.004,
            "int8",
            r"2\.00 times as fast and loses 0\.40 points \(95 % interval",
        ),
        (200.0, -0.01, "int8", r"1\.00 points \(95 % interval"),
        (200.0, 0.005, "int8", r"loses 0\.50 points"),
        (200.0, 0.006, "fp32", r"loses 0\.60 points.*, more than compress\.max_drop .*0\.50"),
        (105.0, 0.0, "fp32", r"only 1\.05 times as fast on this machine"),
    ],
)
def test_int8_is_kept_where_it_is_faster_within_the_bound(
    rate: float, drop: float, kept: str, reason: str
):
    rows = {"fp32": row(100.0, 0.0), "int8": row(rate, drop)}

    found, why = decide(rows, 0.005, "auto")

    assert found == kept
    assert re.search(reason, why)


@pytest.mark.parametrize("wanted", ["fp32", "int8"])
def test_what_is_asked_for_is_kept(wanted: str):
    assert decide({wanted: row(1.0, 0.9)}, 0.0, wanted) == (wanted, f"{wanted} was asked for")


def test_agreement_of_one_label_a_row_by_hand():
    ours = Outputs(np.log([[0.5, 0.3, 0.2], [0.1, 0.6, 0.3]]))
    theirs = Outputs(np.log([[0.6, 0.2, 0.2], [0.1, 0.4, 0.5]]))

    found = agreement(spec_of(), ours, theirs)

    assert found["label_agreement"] == 0.5
    assert found["max_probability_difference"] == pytest.approx(0.2)


def test_agreement_of_any_number_of_labels_goes_by_their_thresholds():
    ours = Outputs(np.array([[0.0, 2.0, -2.0]]))
    theirs = Outputs(np.array([[0.5, 2.0, -1.0]]))

    found = agreement(spec_of("multilabel", thresholds={"a": 0.6, "c": 0.2}), ours, theirs)

    assert found["label_agreement"] == pytest.approx(1 / 3)  # a: 0.5 and 0.62; c: 0.12 and 0.27
    assert found["max_probability_difference"] == pytest.approx(0.14974, abs=1e-5)


def test_agreement_of_entities_counts_words():
    ours = Outputs([np.eye(7)[[0, 1]], np.eye(7)[[3]], np.zeros((0, 7))])
    theirs = Outputs([np.eye(7)[[0, 2]], np.eye(7)[[3]], np.zeros((0, 7))])

    assert agreement(spec_of("tag"), ours, theirs)["label_agreement"] == pytest.approx(2 / 3)


def test_texts_without_any_word_agree():
    nothing = Outputs([np.zeros((0, 7))])

    assert agreement(spec_of("tag"), nothing, nothing)["label_agreement"] == 1.0


def test_calibration_packs_hold_the_rows(rows: list[Encoded]):
    packs = calibration_packs(spec_of(), rows)

    ids = np.concatenate([each["input_ids"][0] for each in packs])
    assert ids.tolist() == [number for each in rows for number in each.ids]
    assert all(each["input_ids"].shape[1] <= 128 for each in packs)


@pytest.mark.parametrize(
    ("spec", "names"),
    [
        (spec_of(), {"pool", "token_type_ids"}),
        (spec_of(token_types=False), {"pool"}),
        (spec_of("tag"), {"token_type_ids"}),
        (spec_of("tag", token_types=False), set()),
    ],
)
def test_calibration_packs_hold_what_the_graph_takes(
    spec: Spec, names: set[str], rows: list[Encoded]
):
    packs = calibration_packs(spec, rows)

    assert {*packs[0]} == {"input_ids", "position_ids", "segments"} | names


def test_calibration_packs_are_spread_over_many_rows(
    rows: list[Encoded], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(artifact, "CALIBRATION_ROWS", 5)

    packs = calibration_packs(spec_of(), rows)

    ids = np.concatenate([each["input_ids"][0] for each in packs])
    assert ids.tolist() == [number for each in rows[::4] for number in each.ids]


@pytest.mark.parametrize("name", TASKS)
def test_the_artifact_answers_as_the_network_does(
    name: str, task_model: Build, tiny_tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(artifact, "PACKS", (32,))
    task = TASKS[name](labels=("a", "b", "c"))
    label = {"classify": "a", "pair": "a"}.get(name, ())
    second = "the pin" if name == "pair" else None
    texts = ["my card is lost", "where is the pin", "please help", "refund my card please"]
    examples = [Example(text, label, second) for text in texts]
    encoding = encode_examples(task, tiny_tokenizer, examples, 16)
    model, tokenizer = task_model(name), tiny_tokenizer.to_str().encode()
    reference = network_outputs(model, encoding)

    made = make(
        model,
        spec_of(name),
        tokenizer,
        encoding.rows,
        [example.input for example in examples],
        reference,
        lambda outputs: np.ones(len(texts)),
        precision="fp32",
        max_drop=0.0,
    )

    assert made.evidence["label_agreement"] == 1.0
    assert made.evidence["max_probability_difference"] < 1e-5
    assert made.evidence["precision"] == made.variant.precision == "fp32"
    assert [each["precision"] for each in made.evidence["variants"]] == ["fp32"]
    assert made.evidence["variants"][0]["drop"] == 0.0


def test_both_forms_are_measured_before_one_is_kept(
    task_model: Build, tiny_tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(artifact, "PACKS", (32,))
    task = TASKS["classify"](labels=("a", "b", "c"))
    examples = [Example("my card is lost", "a"), Example("the pin", "b")]
    encoding = encode_examples(task, tiny_tokenizer, examples, 16)
    model = task_model("classify")
    inputs = [example.input for example in examples]
    right = iter([np.array([1.0, 1.0]), np.array([1.0, 1.0]), np.array([1.0, 0.0])])

    made = make(
        model,
        spec_of(),
        tiny_tokenizer.to_str().encode(),
        encoding.rows,
        inputs,
        network_outputs(model, encoding),
        lambda outputs: next(right),
        precision="auto",
        max_drop=0.1,
    )

    drops = {each["precision"]: each["drop"] for each in made.evidence["variants"]}
    assert drops == {"fp32": 0.0, "int8": 0.5}
    assert made.variant.precision == "fp32"
