"""Find texts that differ by small edits: MinHash candidates, checked by edit distance.

Candidates: Broder 1997, "On the Resemblance and Containment of Documents": two sets share a random
minimum with probability J = |A and B| / |A or B|. Banding after Leskovec, Rajaraman and Ullman,
"Mining of Massive Datasets", section 3.4: a pair is a candidate when all R minima of one of B bands
agree, which has probability 1 - (1 - J^R)^B. Shingles are runs of three characters of the normal
form, so Chinese works too; R = 3 and B = 20 find J = 0.3 (every fifth character edited) in 4 of 10
cases and J = 0.5 in 9 of 10; edits are seldom spread so evenly, see the tests for what is found.

Check: a candidate is a near duplicate when its Levenshtein distance is at most ``share`` of the
longer text. Pairs are dropped before by two cheap tests (agreeing minima, and the bag distance,
which never exceeds the edit distance); rapidfuzz computes the distance.

Cost: linear in the number of characters; a band's bucket of m texts gives at most m x NEIGHBOURS
pairs, so that templated texts stay linear too.

Shapes: N texts, C characters of all of them, P pairs, M minima of a text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from takeroot.data.texts import normal_form
from takeroot.errors import require

ROWS = 3
BANDS = 20
MINIMA = ROWS * BANDS
LEAST_AGREEING = 11  # of 60 minima: J >= 0.3 has fewer in 1 of 40 cases
NEIGHBOURS = 32  # pairs a text is given within one bucket
LEAST_CHARS = 8  # below, one edit is too large a part
JUDGED_CHARS = 1_000  # of a longer text the first and last halves of these
CHUNK_CHARS = 1 << 21
BINS = 64  # characters are counted in so many classes for the bag distance
_SALT = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xBF58476D1CE4E5B9)


@dataclass(frozen=True, slots=True)
class Near:
    """Two texts that differ a little.

    Args:
        first: Number of the text that stands first.
        second: Number of the other.
        distance: Edit distance divided by the length of the longer text, in (0, 1].
    """

    first: int
    second: int
    distance: float


@dataclass(frozen=True)
class _Fingerprints:
    """What texts are compared by before their edit distance is computed.

    Args:
        minima: Smallest values of the hash functions over the shingles (N, M).
        bags: Number of characters by class (N, BINS).
        lengths: Number of characters (N,).
    """

    minima: NDArray[np.uint32]
    bags: NDArray[np.int32]
    lengths: NDArray[np.int64]


def find(texts: Sequence[str], *, share: float = 0.2, boundary: int | None = None) -> list[Near]:
    """For each text that nearly repeats one before it, one such pair, in order of ``second``.

    Texts with the same normal form are exact duplicates and not reported; of those only the first
    is compared.

    Args:
        texts: In file order.
        share: Largest part of the longer text's characters that may be edited.
        boundary: If given, only texts from this number on, each with one before it.
    """
    forms = [_judged(normal_form(text)) for text in texts]
    where = _compared(forms, boundary)
    kept = [forms[number] for number in where]
    if len(kept) < 2:
        return []
    prints = _fingerprints(kept)
    late = np.array(where) >= (boundary or 0)
    distance = require("rapidfuzz.distance.Levenshtein", extra="train").distance
    found: dict[int, Near] = {}
    waiting = late.copy()  # texts no pair was found for yet
    for pairs in _candidates(prints.minima):
        wanted = waiting[pairs[1]] & ~(late[pairs[0]] & (boundary is not None))
        for i, j in _likely(pairs[:, wanted], prints, share).T.tolist():
            if not waiting[j]:
                continue
            apart = distance(kept[i], kept[j]) / max(len(kept[i]), len(kept[j]))
            if 0 < apart <= share:
                found[where[j]] = Near(where[i], where[j], apart)
                waiting[j] = False
    return [found[second] for second in sorted(found)]


def _judged(form: str) -> str:
    half = JUDGED_CHARS // 2
    return form if len(form) <= JUDGED_CHARS else form[:half] + form[-half:]


def _compared(forms: Sequence[str], boundary: int | None) -> list[int]:
    """Numbers of the texts that are long enough and the first of their form (on their side)."""
    first: dict[tuple[bool, str], int] = {}
    for number, form in enumerate(forms):
        if len(form) >= LEAST_CHARS:
            first.setdefault((boundary is not None and number >= boundary, form), number)
    return list(first.values())


def _fingerprints(forms: Sequence[str]) -> _Fingerprints:
    """Minima, bags and lengths of the texts, computed for some of them at a time."""
    minima = np.empty((len(forms), MINIMA), np.uint32)
    bags = np.empty((len(forms), BINS), np.int32)
    for start, end in _chunks(forms):
        codes = np.frombuffer("".join(forms[start:end]).encode("utf-32-le"), np.uint32)
        owner = np.repeat(np.arange(end - start), [len(form) for form in forms[start:end]])
        counted = np.bincount(owner * BINS + codes % BINS, minlength=(end - start) * BINS)
        bags[start:end] = counted.reshape(-1, BINS)
        inside = owner[:-2] == owner[2:]  # not running over into the next text
        begins = np.searchsorted(owner[:-2][inside], np.arange(end - start))
        minima[start:end] = _minima(_shingles(codes.astype(np.uint64))[inside], begins)
    return _Fingerprints(minima, bags, np.array([len(form) for form in forms]))


def _chunks(forms: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Runs of texts of about CHUNK_CHARS characters."""
    start, chars = 0, 0
    for number, form in enumerate(forms):
        chars += len(form)
        if chars >= CHUNK_CHARS:
            yield start, number + 1
            start, chars = number + 1, 0
    if start < len(forms):
        yield start, len(forms)


def _shingles(codes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """One number for each three characters in a row (C - 2,)."""
    return (codes[:-2] << np.uint64(42)) ^ (codes[1:-1] << np.uint64(21)) ^ codes[2:]


def _minima(shingles: NDArray[np.uint64], begins: NDArray[np.int64]) -> NDArray[np.uint32]:
    """Smallest value of each hash function over the shingles of each text (N, M)."""
    minima = np.empty((len(begins), MINIMA), np.uint32)
    salts = np.random.default_rng(0).integers(1, 2**63, (MINIMA, 2), dtype=np.uint64)
    for column, (factor, shift) in enumerate(salts):
        mixed = shingles * (factor | np.uint64(1)) + shift  # wraps round, as hashing may
        mixed = (mixed ^ (mixed >> np.uint64(29))) * _MIX
        minima[:, column] = np.minimum.reduceat((mixed >> np.uint64(32)).astype(np.uint32), begins)
    return minima


def _candidates(minima: NDArray[np.uint32]) -> Iterator[NDArray[np.int64]]:
    """Pairs (2, P) whose minima agree in a band, band by band; the first stands before."""
    for band in range(BANDS):
        key = np.zeros(len(minima), np.uint64)
        for column in range(band * ROWS, (band + 1) * ROWS):
            key = (key ^ minima[:, column]) * _SALT
            key ^= key >> np.uint64(31)
        order = np.argsort(key, kind="stable")
        key = key[order]
        for gap in range(1, min(NEIGHBOURS, len(key) - 1) + 1):
            same = np.flatnonzero(key[gap:] == key[:-gap])
            if not len(same):
                break
            yield np.stack([order[same], order[same + gap]])


def _likely(pairs: NDArray[np.int64], prints: _Fingerprints, share: float) -> NDArray[np.int64]:
    """The pairs (2, P) that may be near: enough minima agree and the bags differ little."""
    first, second = pairs
    agreeing = (prints.minima[first] == prints.minima[second]).sum(axis=1) >= LEAST_AGREEING
    first, second = pairs = pairs[:, agreeing]
    difference = prints.bags[first] - prints.bags[second]
    more = np.maximum(difference, 0).sum(axis=1)
    less = np.maximum(-difference, 0).sum(axis=1)
    longest = np.maximum(prints.lengths[first], prints.lengths[second])
    return pairs[:, np.maximum(more, less) <= share * longest]
