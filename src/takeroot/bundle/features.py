"""TF-IDF over word and character n-grams, the same code in training and serving.

Two blocks: words (1- and 2-grams) and characters (2- to 5-grams inside white space, each word with
one space on both sides). An n-gram that occurs c times in a text weighs
``(1 + ln c) * (ln((1 + n) / (1 + d)) + 1)``, with n training texts of which d have it, and each
block of a text is scaled to unit length: scikit-learn's ``TfidfVectorizer`` with
``sublinear_tf=True`` and its other defaults, which the tests compare with. (Spärck Jones 1972 for
the inverse document frequency; Salton & Buckley 1988 for the rest.) A Chinese or Japanese character
is a word of its own, as these scripts put no spaces.

Shapes: N texts, F features; words come before characters.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count, pairwise
from typing import Any

import numpy as np

from takeroot.errors import BundleError

_ALONE = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
WORD = rf"[{_ALONE}]|[^\W{_ALONE}]+"
CHARACTERS = (2, 5)

_FIND_WORDS = re.compile(WORD).findall
_BLOCK = 4096  # texts held as n-gram numbers at a time
_KNOWN_WORDS = 100_000  # words whose character n-grams are remembered during one call
_GRAMS = 4_000_000  # n-grams counted at a time; beyond, those seen in one text only are forgotten

Lookup = Callable[[str], int | None]


@dataclass(frozen=True)
class Sparse:
    """A sparse matrix by rows: row i has ``data[indptr[i]:indptr[i+1]]`` in columns ``indices``.

    Args:
        indptr: (N + 1,) int64.
        indices: Column numbers, int32, rising within a row.
        data: Values, float32.
        n_features: F.
    """

    indptr: np.ndarray
    indices: np.ndarray
    data: np.ndarray
    n_features: int

    @property
    def shape(self) -> tuple[int, int]:
        """(N, F)."""
        return len(self.indptr) - 1, self.n_features


@dataclass(frozen=True)
class NgramFeatures:
    """Which n-grams count, and how much.

    Args:
        words: Word n-grams; their order is the order of the columns.
        characters: Character n-grams, whose columns follow.
        idf: Weight of each column (F,), float32.
    """

    words: tuple[str, ...]
    characters: tuple[str, ...]
    idf: np.ndarray

    def __post_init__(self) -> None:
        """Build the lookups, which serving needs at every text."""
        offset = len(self.words)
        words = {gram: number for number, gram in enumerate(self.words)}
        characters = {gram: offset + number for number, gram in enumerate(self.characters)}
        if len(words) + len(characters) != len(self.idf) or self.idf.ndim != 1:
            raise BundleError(
                f"features: {len(words)} + {len(characters)} different n-grams, "
                f"but {self.idf.shape} weights"
            )
        object.__setattr__(self, "_find_word", words.get)
        object.__setattr__(self, "_find_characters", characters.get)

    @classmethod
    def fit(
        cls, texts: Sequence[str], max_features: int = 100_000, *, min_texts: int = 1
    ) -> NgramFeatures:
        """The most frequent n-grams of the texts, and their weights.

        Args:
            texts: Training texts, normalised.
            max_features: Most n-grams of each block; ties go to the one first in code-point order.
            min_texts: How many texts must have an n-gram.
        """
        words, characters = _Counts(), _Counts()
        for start in range(0, len(texts), _BLOCK):
            block = texts[start : start + _BLOCK]
            words.add(_word_numbers(block, words.numbers.__getitem__))
            characters.add(_character_numbers(block, characters.numbers.__getitem__))
        kept = [counts.kept(max_features, min_texts) for counts in (words, characters)]
        found = np.concatenate([texts_with for _, texts_with in kept])
        idf = np.log((1 + len(texts)) / (1 + found)) + 1
        return cls(kept[0][0], kept[1][0], idf.astype(np.float32))

    def transform(self, texts: Sequence[str]) -> Sparse:
        """Weights (N, F) of the texts, which must be normalised as those of ``fit``."""
        blocks = [self._rows(texts[k : k + _BLOCK]) for k in range(0, len(texts), _BLOCK)]
        lengths = [np.zeros(1, np.int64), *(block[0] for block in blocks)]
        indices = [np.zeros(0, np.int32), *(block[1] for block in blocks)]
        data = [np.zeros(0, np.float32), *(block[2] for block in blocks)]
        return Sparse(
            np.cumsum(np.concatenate(lengths)),
            np.concatenate(indices),
            np.concatenate(data),
            len(self.idf),
        )

    def _rows(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Entries in each row, and the columns and values of all entries."""
        find_word, find_characters = self._find_word, self._find_characters  # type: ignore[attr-defined]
        width = max(len(self.idf), 1)
        keys = np.concatenate(
            [
                _keys(numbers, width)
                for numbers in (
                    _word_numbers(texts, find_word),
                    _character_numbers(texts, find_characters),
                )
            ]
        )
        keys, counts = np.unique(keys, return_counts=True)
        rows, columns = np.divmod(keys, width)
        values = (1 + np.log(counts)) * self.idf[columns].astype(np.float64)
        blocks = 2 * rows + (columns >= len(self.words))
        norms = np.sqrt(np.bincount(blocks, values * values, 2 * len(texts)))
        lengths = np.bincount(rows, minlength=len(texts))
        return lengths, columns.astype(np.int32), (values / norms[blocks]).astype(np.float32)

    def to_json(self) -> dict[str, Any]:
        """Everything but ``idf``, as JSON values."""
        return {"format": 1, "words": list(self.words), "characters": list(self.characters)}

    @classmethod
    def from_json(cls, values: Any, idf: np.ndarray) -> NgramFeatures:
        """The features that ``to_json`` wrote.

        Raises:
            BundleError: If the values are not those, or do not fit ``idf``.
        """
        if not isinstance(values, dict) or set(values) != {"format", "words", "characters"}:
            raise BundleError("features.json: the keys must be format, words, characters")
        if values["format"] != 1:
            raise BundleError(f"features.json: format {values['format']!r} is unknown; reads 1")
        for key in ("words", "characters"):
            grams = values[key]
            if not isinstance(grams, list) or not all(isinstance(gram, str) for gram in grams):
                raise BundleError(f"features.json: {key} must be a list of strings")
        return cls(tuple(values["words"]), tuple(values["characters"]), idf)


class _Counts:
    """Counts of n-grams, over blocks of texts."""

    def __init__(self) -> None:
        self.numbers: defaultdict[str, int] = defaultdict(count().__next__)
        self._uses = np.zeros(0, np.int64)
        self._texts = np.zeros(0, np.int64)

    def add(self, rows: Iterator[list[int]]) -> None:
        """Count the n-gram numbers of each text."""
        keys = _keys(rows, 1 << 32)
        size = len(self.numbers)
        self._uses = _grown(self._uses, size) + np.bincount(keys % (1 << 32), minlength=size)
        keys.sort()  # numpy's unique takes fifty times as long
        once = keys[np.diff(keys, prepend=-1) > 0] % (1 << 32)
        self._texts = _grown(self._texts, size) + np.bincount(once, minlength=size)
        if size > _GRAMS:
            self._forget()

    def kept(self, most: int, min_texts: int) -> tuple[tuple[str, ...], np.ndarray]:
        """The most used n-grams in code-point order, and how many texts have each."""
        grams = sorted(self.numbers)
        order = np.array([self.numbers[gram] for gram in grams], np.int64)
        uses, texts = self._uses[order], self._texts[order]
        chosen = np.argsort(np.where(texts >= min_texts, -uses, 1), kind="stable")[:most]
        chosen = np.sort(chosen[texts[chosen] >= min_texts])
        return tuple(grams[k] for k in chosen.tolist()), texts[chosen]

    def _forget(self) -> None:
        """Drop what only one text had, so that memory stays bounded."""
        keep = self._texts > 1
        grams = [gram for gram, number in self.numbers.items() if keep[number]]
        old = np.array([self.numbers[gram] for gram in grams], np.int64)
        self._uses, self._texts = self._uses[old], self._texts[old]
        self.numbers.clear()
        self.numbers.default_factory = count(len(grams)).__next__
        self.numbers.update({gram: number for number, gram in enumerate(grams)})


def _grown(counts: np.ndarray, size: int) -> np.ndarray:
    """The counts with zeros at the end, up to ``size``."""
    return np.concatenate([counts, np.zeros(size - len(counts), np.int64)])


def _keys(rows: Iterator[list[int]], width: int) -> np.ndarray:
    """``row * width + number`` for every n-gram of every text, int64."""
    lengths: list[int] = []
    numbers: list[int] = []
    for row in rows:
        lengths.append(len(row))
        numbers += row
    found = np.array(numbers, np.int64)
    return np.repeat(np.arange(len(lengths)) * width, lengths) + found


def _word_numbers(texts: Sequence[str], find: Lookup) -> Iterator[list[int]]:
    """Numbers of each text's word 1- and 2-grams that ``find`` knows."""
    for text in texts:
        words = _FIND_WORDS(text.lower())
        grams = [*words, *(f"{left} {right}" for left, right in pairwise(words))]
        yield [number for gram in grams if (number := find(gram)) is not None]


def _character_numbers(texts: Sequence[str], find: Lookup) -> Iterator[list[int]]:
    """Numbers of each text's character 2- to 5-grams that ``find`` knows."""
    known: dict[str, list[int]] = {}
    for text in texts:
        row: list[int] = []
        for word in text.lower().split():
            numbers = known.get(word)
            if numbers is None:
                if len(known) >= _KNOWN_WORDS:
                    known.clear()
                grams = _character_grams(f" {word} ")
                numbers = [number for gram in grams if (number := find(gram)) is not None]
                known[word] = numbers
            row += numbers
        yield row


def _character_grams(padded: str) -> list[str]:
    """All 2- to 5-grams of a padded word; one shorter than n counts once, and whole."""
    shortest, longest = CHARACTERS
    longest = max(shortest, min(longest, len(padded)))
    return [
        padded[start : start + size]
        for size in range(shortest, longest + 1)
        for start in range(len(padded) - size + 1)
    ]
