from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save

from takeroot.bundle import Spec
from takeroot.bundle.runtimes.linear import LinearRuntime
from takeroot.data import Example
from takeroot.search import tfidf
from takeroot.tasks import Classify, MultiLabel

TASK = Classify(("card", "code", "money"))


def served(model: tfidf.TfidfModel, rows: list[Example]) -> np.ndarray:
    """The logits of a bundle of the model."""
    arrays = {
        "coef": model.linear.weights.astype(np.float16),
        "intercept": model.linear.intercept,
        "idf": model.features.idf,
    }
    files = {"linear.safetensors": save(arrays)}
    files["features.json"] = json.dumps(model.features.to_json(), ensure_ascii=False).encode()
    spec = Spec(name="m", task="classify", labels=TASK.labels, runtime="linear")
    found = LinearRuntime(spec, files.__getitem__, threads=1).run([row.input for row in rows])
    return np.asarray(found.logits)


def test_it_is_served_as_it_was_judged(shop_examples: Callable[..., Any]) -> None:
    rows = shop_examples(60)
    rows[1] = replace(rows[1], text="  我的卡\u200b丢了\tＰＩＮ ")  # normalised on both sides

    model = tfidf.fit(TASK, rows)

    judged = np.asarray(model.outputs(rows).logits)
    # The same float16 weights; only the order of float32 sums differs.
    np.testing.assert_allclose(served(model, rows), judged, atol=2e-5)


def test_it_learns_the_words_that_tell_labels_apart(shop_examples: Callable[..., Any]) -> None:
    model = tfidf.fit(TASK, shop_examples(30))

    unseen = [Example("the pin 77"), Example("help refund 78"), Example("my lost 79")]

    assert np.asarray(model.outputs(unseen).logits).argmax(axis=1).tolist() == [1, 2, 0]


def test_both_texts_of_a_pair_are_read() -> None:
    rows = [Example("same", str(k % 2), second="yes" if k % 2 else "no") for k in range(8)]

    logits = tfidf.fit(Classify(("0", "1"), name="pair"), rows).outputs(rows).logits

    assert np.asarray(logits).argmax(axis=1).tolist() == [0, 1] * 4


def test_it_is_judged_on_rows_it_has_not_seen(
    shop_examples: Callable[..., Any], work_of: Callable[..., Any]
) -> None:
    rows = shop_examples(30)
    work = work_of(rows, held=[3, 5, 29])

    judged = tfidf.judge(work)

    alone = tfidf.fit(work.task, [rows[k] for k in range(30) if k not in (3, 5, 29)])
    assert judged.rows.tolist() == [3, 5, 29]
    expected = alone.outputs([rows[3], rows[5], rows[29]]).logits
    np.testing.assert_array_equal(judged.outputs.logits, expected)


def test_balanced_weights_give_every_class_the_same_say(work_of: Callable[..., Any]) -> None:
    rows = [Example(str(k), "a" if k < 6 else "b") for k in range(8)]

    weights = tfidf.row_weights(work_of(rows, fit={"class_weights": "balanced"}), rows)

    assert weights is not None
    assert weights.tolist() == pytest.approx([8 / 12] * 6 + [2.0] * 2)  # n / (classes * count)


def test_a_class_without_rows_takes_no_weight(work_of: Callable[..., Any]) -> None:
    rows = [Example("x", "a"), Example("y", "a"), Example("z", "c")]
    work = work_of(rows, Classify(("a", "b", "c")), fit={"class_weights": "balanced"})

    assert np.asarray(tfidf.row_weights(work, rows)).tolist() == pytest.approx([0.75, 0.75, 1.5])


@pytest.mark.parametrize(
    ("task", "weights"), [(Classify(("a", "b")), "none"), (MultiLabel(("a", "b")), "balanced")]
)
def test_rows_weigh_the_same_otherwise(
    work_of: Callable[..., Any], task: Any, weights: str
) -> None:
    rows = [Example("x", "a"), Example("y", "b")]

    assert tfidf.row_weights(work_of(rows, task, fit={"class_weights": weights}), rows) is None


def test_targets_are_one_column_a_label() -> None:
    rows = [Example("x", "b"), Example("y", "a")]
    several = [Example("x", ("a", "b")), Example("y", ())]

    assert tfidf.target_matrix(Classify(("a", "b")), rows).tolist() == [[0, 1], [1, 0]]
    assert tfidf.target_matrix(MultiLabel(("a", "b")), several).tolist() == [[1, 1], [0, 0]]
