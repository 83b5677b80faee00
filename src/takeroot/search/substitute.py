"""Changed copies in which a masked language model puts other words in the place of some.

Words of a text are hidden, and for each of them one of the MOST likeliest others is drawn by its
probability (Kobayashi 2018, arXiv:1805.06201, section 2.2, with BERT as Wu et al. 2019,
arXiv:1812.06705, section 3). Where we differ: the network is not trained on the labels, so that it
may propose what does not fit them, and whether the copies help is measured as for any other change;
a word is hidden with all its pieces under one mask, and replaced by a whole word or, in Chinese, by
as many characters; the word itself is never proposed.

Cost: one pass over the texts. Shapes: T tokens, M hidden words, see ``models/masked``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from takeroot.bundle.text import normalise, scrub
from takeroot.bundle.tokens import words_of
from takeroot.data.augment import Random
from takeroot.models.masked import Masked
from takeroot.train import Progress
from takeroot.train.batches import by_length

if TYPE_CHECKING:
    from tokenizers import Encoding

SHARE = 0.15  # of a text's words that are hidden; one at least
MOST = 10  # words that one is drawn from
BLOCK = 1000  # texts that are tokenised at a time
TOKENS = 4096  # padded tokens of a batch


@dataclass(frozen=True)
class Hidden:
    """A text with hidden words.

    Args:
        text: It.
        ids: Its tokens, a mask for each hidden word (T,).
        places: Of the masks (M,).
        spans: Where the hidden words stand in the text.
        chances: A random number for each, 0 to 1.
    """

    text: str
    ids: np.ndarray
    places: tuple[int, ...]
    spans: tuple[tuple[int, int], ...]
    chances: tuple[float, ...]

    @property
    def words(self) -> list[str]:
        """What is hidden."""
        return [self.text[start:end] for start, end in self.spans]


def substituted(
    masked: Masked, texts: Sequence[str], max_tokens: int, random: Random, progress: Progress
) -> list[str]:
    """The texts with other words in the place of some, or as they are where there are none.

    Args:
        masked: Proposes words.
        texts: Any texts; behind ``max_tokens`` they stay as they are.
        max_tokens: What the network reads of a text.
        random: Which words, and by which others they are replaced.
        progress: Is told how far it is.
    """
    masked.tokenizer.enable_truncation(min(max_tokens, masked.max_tokens))
    found: list[str] = []
    for start in range(0, len(texts), BLOCK):
        clean = [normalise(scrub(text), "nfkc") for text in texts[start : start + BLOCK]]
        encodings = masked.tokenizer.encode_batch(clean)
        block = [hide(masked, *each, random) for each in zip(clean, encodings, strict=True)]
        found += _filled(masked, block)
        progress.step("substituting words", len(found), len(texts), {})
    return found


def hide(masked: Masked, text: str, encoding: Encoding, random: Random) -> Hidden:
    """The text with some of its words hidden, each with all its pieces under one mask."""
    firsts, spans = words_of(encoding, text)
    words = [text[start:end] for start, end in spans.tolist()]
    able = [k for k, word in enumerate(words) if masked.proposals.can_replace(word)]
    count = min(len(able), max(1, round(SHARE * len(words))))
    chosen: list[int] = np.sort(random.choice(able, count, replace=False)).tolist() if able else []
    ids, places, kept = [], [], 0
    for k in chosen:
        first, end = int(firsts[k]), spans[k, 1]
        ids += encoding.ids[kept:first]
        places.append(len(ids))
        ids.append(masked.mask)
        kept = first + 1
        while kept < len(encoding.ids) and _goes_on(encoding, first, kept, end):
            kept += 1
    ids += encoding.ids[kept:]
    where = tuple((int(spans[k, 0]), int(spans[k, 1])) for k in chosen)
    chances = tuple(random.random(len(places)).tolist())
    return Hidden(text, np.array(ids, np.int64), tuple(places), where, chances)


def _goes_on(encoding: Encoding, first: int, place: int, end: int) -> bool:
    """Whether a token is a piece of the word that begins with token ``first``."""
    same = encoding.word_ids[place] == encoding.word_ids[first]
    return same and bool(encoding.offsets[place][1] <= end)


def _filled(masked: Masked, block: Sequence[Hidden]) -> list[str]:
    """The texts with other words in the hidden places."""
    found = [each.text for each in block]
    able = np.array([k for k, each in enumerate(block) if each.places], np.int64)
    for numbers in by_length(np.array([len(block[k].ids) for k in able], np.int64), TOKENS):
        batch = [block[k] for k in able[numbers]]
        places = np.array([(k, place) for k, each in enumerate(batch) for place in each.places])
        words = [word for each in batch for word in each.words]
        proposed = iter(masked.likeliest([each.ids for each in batch], places, words, MOST))
        for k, each in zip(able[numbers], batch, strict=True):
            others = [
                masked.proposals.written[int(_drawn(*next(proposed), chance))]
                for chance in each.chances
            ]
            found[k] = _put(each, others)
    return found


def _drawn(ids: np.ndarray, shares: np.ndarray, chance: float) -> int:
    """The id that a random number between 0 and 1 falls on."""
    place = int(np.searchsorted(np.cumsum(shares), chance))
    return int(ids[min(place, len(ids) - 1)])


def _put(hidden: Hidden, others: Sequence[str]) -> str:
    """The text with other words, in capitals where those were that they replace."""
    parts, last = [], 0
    for (start, end), word, other in zip(hidden.spans, hidden.words, others, strict=True):
        parts += [hidden.text[last:start], _like(word, other)]
        last = end
    return "".join([*parts, hidden.text[last:]])


def _like(word: str, other: str) -> str:
    """A word with the capitals of another."""
    if word.isupper() and len(word) > 1:
        return other.upper()
    return other[:1].upper() + other[1:] if word[:1].isupper() else other
