from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from takeroot.bundle import Predictor, load_predictor
from takeroot.errors import BundleError, DataError

TEXTS = [
    "my card is lost",
    "where is my card please",
    "",
    "change the pin",
    "help " * 40,
    "我的卡",
    "zzz \ud800 emoji 😀",
    "MY CARD IS LOST",
]


def test_every_input_gets_one_answer_in_its_place(make_bundle):
    predictor = Predictor(make_bundle(), threads=2)

    answers = predictor.predict(TEXTS)

    assert len(answers) == len(TEXTS)
    assert answers[0].label == answers[7].label  # the tokenizer lowercases
    assert all(abs(sum(answer.probabilities.values()) - 1) < 1e-9 for answer in answers)


def test_no_texts_give_no_answers(make_bundle, linear_bundle):
    tag = make_bundle("tag", task="tag", normalisation="none")

    assert Predictor(make_bundle()).predict([]) == []
    assert Predictor(tag).predict([]) == []
    assert Predictor(linear_bundle).predict([]) == []


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(TEXTS), data=st.data())
def test_an_answer_does_not_depend_on_its_neighbours(order, data, request):
    predictor = _predictor_once(request)
    alone = {text: predictor.outputs([text]).logits[0] for text in TEXTS}
    some = data.draw(st.lists(st.sampled_from(order), min_size=1, max_size=30))

    together = predictor.outputs(some).logits

    # Packs of different sizes sum in a different order: float32 rounding, nothing more.
    np.testing.assert_allclose(together, [alone[text] for text in some], atol=2e-5)


def _predictor_once(request):
    if not hasattr(request.node, "takeroot_predictor"):
        request.node.takeroot_predictor = Predictor(request.getfixturevalue("make_bundle")(), 2)
    return request.node.takeroot_predictor


def test_linear_answers_are_bit_equal_whatever_the_neighbours(linear_bundle):
    predictor = Predictor(linear_bundle)
    alone = [predictor.predict([text])[0] for text in TEXTS]

    assert predictor.predict(TEXTS * 3) == alone * 3


def test_several_threads_may_predict_at_once(make_bundle):
    predictor = Predictor(make_bundle(), threads=2)
    expected = predictor.outputs(TEXTS).logits

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: predictor.outputs(TEXTS).logits, range(16)))

    assert all(np.array_equal(logits, expected) for logits in found)


def test_one_thread_gives_what_several_give(make_bundle):
    bundle = make_bundle()
    texts = TEXTS * 10

    one, four = (Predictor(bundle, threads=count).outputs(texts).logits for count in (1, 4))

    assert np.array_equal(one, four)


def test_texts_longer_than_the_model_reads_are_counted(make_bundle):
    outputs = Predictor(make_bundle()).outputs(TEXTS)

    assert outputs.truncated == (4,)


def test_a_text_of_a_megabyte_is_answered_like_its_beginning(make_bundle):
    predictor = Predictor(make_bundle())
    long = "my card is lost " * 60_000

    outputs = predictor.outputs([long, long[:100]])

    assert outputs.truncated == (0, 1)
    np.testing.assert_allclose(outputs.logits[0], outputs.logits[1], atol=2e-5)


def test_the_order_of_a_pair_matters(make_bundle):
    predictor = Predictor(make_bundle(task="pair"))

    first, second = predictor.predict([("my card", "the pin"), ("the pin", "my card")])

    assert first.probabilities != second.probabilities


def test_embeddings_have_unit_length(make_bundle):
    outputs = Predictor(make_bundle()).outputs(TEXTS)

    np.testing.assert_allclose(np.linalg.norm(outputs.embedding, axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("method", ["energy", "max_softmax", "mahalanobis", "knn"])
def test_abstention_follows_its_threshold(make_bundle, method):
    never = {"method": method, "threshold": -1e9, "neighbours": 3}
    always = {**never, "threshold": 1e9}

    calm = Predictor(make_bundle("calm", abstention=never)).predict(["my card"])[0]
    strict = Predictor(make_bundle("strict", abstention=always)).predict(["my card"])[0]

    assert (calm.abstained, calm.reason) == (False, None)
    assert (strict.abstained, strict.reason) == (True, "out_of_scope")
    assert calm.label == strict.label


def test_a_single_string_is_refused(make_bundle):
    with pytest.raises(DataError, match=r"need a list of texts, got one text 'my card'"):
        Predictor(make_bundle()).predict("my card")


@pytest.mark.parametrize("bad", [None, 3, ("a", "b"), ["a"], b"a"])
def test_what_is_no_text_is_refused_with_its_number(make_bundle, bad):
    with pytest.raises(DataError, match="input 1: need a text"):
        Predictor(make_bundle()).predict(["a", bad])


@pytest.mark.parametrize("bad", ["a", ("a",), ("a", None), ("a", "b", "c")])
def test_what_is_no_pair_is_refused(make_bundle, bad):
    with pytest.raises(DataError, match="input 0: need a pair of texts"):
        Predictor(make_bundle(task="pair")).predict([bad])


def test_a_graph_for_other_labels_is_refused(make_bundle, monkeypatch):
    bundle = make_bundle()
    spec = bundle.spec.model_copy(update={"labels": ("a", "b")})
    object.__setattr__(bundle, "spec", spec)

    with pytest.raises(BundleError, match=r"logits are 3 wide; bundle\.json asks for 2"):
        Predictor(bundle)


def test_what_onnxruntime_cannot_load_is_refused(make_bundle):
    bundle = make_bundle()
    bundle._contents["model.onnx"] = b"\x08\x08"

    with pytest.raises(BundleError, match="onnxruntime cannot load it"):
        Predictor(bundle)


def test_a_loaded_predictor_knows_its_bundle(make_bundle):
    bundle = make_bundle()

    predictor = load_predictor(str(bundle.path))

    assert (predictor.spec, predictor.sha256) == (bundle.spec, bundle.sha256)


def test_an_error_in_a_pack_drops_the_packs_not_begun(make_bundle, monkeypatch):
    predictor = Predictor(make_bundle(), threads=2)
    runtime, calls, barrier = predictor._runtime, [], threading.Event()

    def compute(flat, first, last):
        calls.append(first)
        if first == 0:
            raise RuntimeError("boom")
        barrier.wait(5)

    monkeypatch.setattr(runtime, "_compute", compute)
    with pytest.raises(RuntimeError, match="boom"):
        predictor.outputs(["my card is lost"] * 400)
    barrier.set()

    assert len(calls) < 10
