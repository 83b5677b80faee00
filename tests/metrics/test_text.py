"""Scores of texts against rouge-score and sacrebleu, and by hand."""

from __future__ import annotations

import numpy as np
import pytest
import sacrebleu
from hypothesis import given
from hypothesis import strategies as st
from rouge_score import rouge_scorer

from takeroot.metrics.text import longest_common, mostly_han, text_rows, text_scores, words

ENGLISH = (
    ["the cat sat on the mat", "Where is my parcel?", "", "a b c d e f", "fully right here now"],
    [
        "the cat is on a mat today",
        "where is the parcel",
        "not empty",
        "x y z",
        "fully right here now",
    ],
)
CHINESE = (
    ["我要退款谢谢", "你好世界", "完全一样的句子"],
    ["我想要退款", "世界你好吗", "完全一样的句子"],
)
sentence = st.lists(st.sampled_from(["a", "b", "cat", "the", "sat", "."]), max_size=12).map(
    " ".join
)
pairs = st.lists(st.tuples(sentence, sentence.filter(str.strip)), min_size=1, max_size=6)


def _scores(written, references):
    rows = text_rows(written, references)
    found = text_scores(rows, np.ones((1, len(rows))))
    return {name: float(values[0]) for name, values in found.items()}


@given(pairs=pairs)
def test_rouge_is_that_of_the_reference_package(pairs):
    names = ["rouge1", "rouge2", "rougeL"]
    scorer = rouge_scorer.RougeScorer(names, use_stemmer=False)
    each = [scorer.score(reference, written) for written, reference in pairs]

    found = _scores(*zip(*pairs, strict=True))

    expected = [np.mean([score[name].fmeasure for score in each]) for name in names]
    assert [found[f"rouge_{k}"] for k in "12l"] == pytest.approx(expected)


@pytest.mark.parametrize(("texts", "how"), [(ENGLISH, "13a"), (CHINESE, "zh")])
def test_bleu_and_chrf_are_sacrebleus(texts, how):
    written, references = texts

    found = _scores(written, references)

    bleu = sacrebleu.corpus_bleu(written, [references], tokenize=how).score
    chrf = sacrebleu.corpus_chrf(written, [references]).score
    assert 100 * found["bleu"] == pytest.approx(bleu)
    assert 100 * found["chrf"] == pytest.approx(chrf)


@given(pairs=pairs)
def test_bleu_and_chrf_are_sacrebleus_for_every_kind_of_text(pairs):
    written, references = map(list, zip(*pairs, strict=True))

    found = _scores(written, references)

    assert 100 * found["bleu"] == pytest.approx(sacrebleu.corpus_bleu(written, [references]).score)
    assert 100 * found["chrf"] == pytest.approx(sacrebleu.corpus_chrf(written, [references]).score)


def test_chinese_words_are_characters():
    assert words("我要 Refund_123，OK！かな") == ["我", "要", "refund", "123", "ok", "か", "な"]
    assert _scores(["我要退款"], ["我想退款"])["rouge_1"] == pytest.approx(3 / 4)
    assert _scores(["我要退款"], ["我想退款"])["rouge_2"] == pytest.approx(1 / 3)


def test_a_text_is_right_whatever_its_white_space():
    assert _scores(["a  b\n", "a b", "A b"], ["a b"] * 3)["exact_match"] == pytest.approx(2 / 3)


def test_what_is_mostly_chinese():
    assert mostly_han(["我要退款 ok"])
    assert not mostly_han(["please refund 我"])
    assert not mostly_han([""])


@given(st.lists(st.sampled_from("abc"), max_size=9), st.lists(st.sampled_from("abc"), max_size=9))
def test_the_longest_common_subsequence_is_that_of_the_table(first, second):
    table = np.zeros((len(first) + 1, len(second) + 1), int)
    for i, a in enumerate(first):
        for j, b in enumerate(second):
            table[i + 1, j + 1] = max(table[i, j] + (a == b), table[i, j + 1], table[i + 1, j])

    assert longest_common(first, second) == table[-1, -1]


def test_weights_count_rows_as_often_as_they_say():
    rows = text_rows(*ENGLISH)
    weights = np.array([[2.0, 1.0, 0.0, 1.0, 3.0]])

    found = text_scores(rows, weights)

    repeated = text_scores(np.repeat(rows, [2, 1, 0, 1, 3], axis=0), np.ones((1, 7)))
    for name, values in found.items():
        assert values == pytest.approx(repeated[name])
