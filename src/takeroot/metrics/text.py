"""How much of a reference a written text has: ROUGE-1, -2 and -L, BLEU, chrF and exact match.

Each row adds whole numbers (how many n-grams agree, how many there are), and every score is a
function of weighted rows, so that a score, its bootstrap interval and the difference of two models
come from one function. BLEU and chrF are of the corpus: sacrebleu's, from which the words and
counts of BLEU come, with its smoothing (``exp``) and chrF's two-fold weight of recall. ROUGE is the
mean over rows of Lin's F measure (Lin 2004, "ROUGE: A Package for Automatic Evaluation of
Summaries"), without stemming; where the common package drops all but ``a-z0-9``, letters of every
script are kept, and a character of a script written without spaces (Han, kana) is a word. All
scores are from 0 to 1.

Shapes: N rows, C distinct rows, B weightings, F integers a row.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from takeroot.errors import require

_HAN = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_WORD = re.compile(f"[{_HAN}]|[^\\W_{_HAN}]+")
_ALONE = re.compile(f"[{_HAN}]")
_LETTER = re.compile(r"[^\W\d_]")

BLEU_ORDER, CHRF_ORDER = 4, 6
CHRF_BETA = 2.0  # recall counts so many times as much as precision (Popović 2015)
# Columns of a row: whether it is the reference; words that agree, pairs of words that do, length
# of the longest common subsequence, words written, words of the reference; of BLEU the n-grams
# that agree and those written for n = 1 … 4, and both lengths; of chrF written, reference and
# agreeing n-grams for n = 1 … 6.
_ROUGE, _BLEU, _CHRF = slice(1, 6), slice(6, 16), slice(16, 34)
WIDTH = 34


def words(text: str) -> list[str]:
    """The words ROUGE counts: lower-case, a Chinese or Japanese character by itself."""
    return _WORD.findall(text.lower())


def mostly_han(texts: Sequence[str]) -> bool:
    """Whether more than half of the letters are of a script written without spaces."""
    joined = "\n".join(texts)
    return 2 * len(_ALONE.findall(joined)) > len(_LETTER.findall(joined))


def text_rows(written: Sequence[str], references: Sequence[str]) -> np.ndarray:
    """What each text adds to the scores, beside its reference: integers (N, F).

    BLEU counts words as sacrebleu's ``13a`` has them, or as its ``zh`` where references are mostly
    Chinese.

    Raises:
        MissingExtraError: If sacrebleu is not installed.
    """
    bleu = require("sacrebleu", extra="generate").BLEU(
        tokenize="zh" if mostly_han(references) else "13a", effective_order=True
    )
    rows = np.zeros((len(references), WIDTH), np.int64)
    for row, text, reference in zip(rows, written, references, strict=True):
        row[0] = " ".join(text.split()) == " ".join(reference.split())
        row[_ROUGE] = _rouge_row(words(text), words(reference))
        found = bleu.sentence_score(text, [reference])
        row[_BLEU] = [*found.counts, *found.totals, found.sys_len, found.ref_len]
        row[_CHRF] = _chrf_row("".join(text.split()), "".join(reference.split()))
    return rows


def text_scores(rows: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
    """The scores by name, each (B,), of rows (C, F) weighted by (B, C)."""
    of_all = weights.sum(axis=1)
    written, wanted = rows[:, 4], rows[:, 5]
    less = np.minimum(1, written), np.minimum(1, wanted)  # a text of n words has n - 1 pairs
    agreeing = {
        "rouge_1": _f_measure(rows[:, 1], written, wanted),
        "rouge_2": _f_measure(rows[:, 2], written - less[0], wanted - less[1]),
        "rouge_l": _f_measure(rows[:, 3], written, wanted),
    }
    scores = {name: weights @ values / of_all for name, values in agreeing.items()}
    scores["bleu"] = _bleu(weights @ rows[:, _BLEU])
    scores["chrf"] = _chrf(weights @ rows[:, _CHRF])
    scores["exact_match"] = weights @ rows[:, 0] / of_all
    return scores


def longest_common(first: Sequence[str], second: Sequence[str]) -> int:
    """Length of the longest common subsequence.

    Bit-parallel (Hyyrö 2004, "Bit-parallel LCS-length computation revisited"): a whole row of the
    table is one integer, and zeros are where it grows.
    """
    places: dict[str, int] = {}
    for place, word in enumerate(first):
        places[word] = places.get(word, 0) | 1 << place
    everything = row = (1 << len(first)) - 1
    for word in second:
        same = row & places.get(word, 0)
        row = ((row + same) | (row - same)) & everything
    return len(first) - row.bit_count()


def _rouge_row(written: list[str], wanted: list[str]) -> list[int]:
    """Words and pairs that agree, longest common subsequence, and both lengths."""
    pairs = [Counter(pairwise(each)) for each in (written, wanted)]
    one = (Counter(written) & Counter(wanted)).total()
    two = (pairs[0] & pairs[1]).total()
    return [one, two, longest_common(written, wanted), len(written), len(wanted)]


def _chrf_row(written: str, wanted: str) -> list[int]:
    """For each length of n-grams: those written (if the reference has any), its, and agreeing."""
    row = []
    for size in range(1, CHRF_ORDER + 1):
        own, its = (
            Counter(text[start : start + size] for start in range(len(text) - size + 1))
            for text in (written, wanted)
        )
        row += [own.total() if its else 0, its.total(), (own & its).total()]
    return row


def _f_measure(agree: np.ndarray, written: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Harmonic mean of precision and recall of each row; 0 where either has nothing."""
    both = np.maximum(written + wanted, 1)
    return np.where((written > 0) & (wanted > 0), 2 * agree / both, 0.0)


def _bleu(sums: np.ndarray) -> np.ndarray:
    """BLEU of summed rows (B, 10): brevity penalty times the geometric mean of precisions."""
    agree, total = sums[:, :BLEU_ORDER], sums[:, BLEU_ORDER : 2 * BLEU_ORDER]
    length, wanted = sums[:, -2], sums[:, -1]
    halved = 0.5 ** (agree == 0).cumsum(axis=1)  # of an order without a hit, and again of the next
    precision = np.where(agree > 0, agree, halved) / np.maximum(total, 1)
    means = np.exp(np.log(precision).mean(axis=1))
    penalty = np.exp(np.minimum(0, 1 - wanted / np.maximum(length, 1)))
    return np.where((agree.sum(axis=1) > 0) & (total.min(axis=1) > 0), penalty * means, 0.0)


def _chrf(sums: np.ndarray) -> np.ndarray:
    """The chrF of summed rows (B, 18), averaged over the orders that both sides have."""
    written, wanted, agree = np.moveaxis(sums.reshape(len(sums), CHRF_ORDER, 3), 2, 0)
    seen = (written > 0) & (wanted > 0)
    orders = np.maximum(seen.sum(axis=1), 1)
    precision = np.where(seen, agree / np.maximum(written, 1), 0).sum(axis=1) / orders
    recall = np.where(seen, agree / np.maximum(wanted, 1), 0).sum(axis=1) / orders
    factor = CHRF_BETA**2
    below = factor * precision + recall
    return np.where(below > 0, (1 + factor) * precision * recall / np.maximum(below, 1e-300), 0.0)
