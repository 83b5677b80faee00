"""Hold rows out by a hash of their content, so that adding rows moves none.

A row is held out when SHA-256 of seed and normalised text, read as a number in [0, 1), is below the
wanted share. So identical texts stay together whatever their labels, and the choice for one row
does not depend on the others; every class is held out at about the same share. Two exceptions keep
both parts usable: a class without any training row gets its first one (by hash) back, and an empty
held-out part gets the row with the smallest hash whose classes keep a training row.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from takeroot.data.dataset import names_of
from takeroot.data.example import Example
from takeroot.data.texts import input_form, normal_form
from takeroot.errors import DataError


@dataclass(frozen=True)
class Split:
    """Rows to train on and rows held out, both in the given order."""

    train: tuple[Example, ...]
    valid: tuple[Example, ...]


def split(
    examples: Sequence[Example],
    *,
    seed: int,
    valid_share: float,
    by: Literal["group", "time"] | None = None,
    repeat: int = 0,
) -> Split:
    """Hold about ``valid_share`` of the examples out.

    Args:
        examples: Rows of one file.
        seed: Another seed holds other rows out (not by time).
        valid_share: Share of rows (by group: of groups) held out, in (0, 1).
        by: Whole groups together, or the latest rows; None: by text.
        repeat: Another number holds other rows out, up to ``1 / valid_share`` times (not by time).

    Raises:
        DataError: If a row lacks the group or time, or a time cannot be read.
    """
    if not examples:
        raise DataError("there are no rows to split")
    if by == "time":
        keys, order = _by_time(examples)
    else:
        keys, order = _by_hash(examples, seed, by)
        order = {key: (place - repeat * valid_share) % 1 for key, place in order.items()}
    held = {key for key in order if order[key] < valid_share}
    held = _some_held(examples, keys, order, _give_back(examples, keys, order, held))
    if not held:
        raise DataError(
            "no row can be held out: every class would lose its only training row; "
            "at least one class needs two different texts"
        )
    train = tuple(e for e, key in zip(examples, keys, strict=True) if key not in held)
    valid = tuple(e for e, key in zip(examples, keys, strict=True) if key in held)
    return Split(train, valid)


def folds(examples: Sequence[Example], count: int, seed: int) -> NDArray[np.int64]:
    """A fold number in [0, count) for each example, stratified by class.

    Identical texts share a fold. Each class is dealt out in hash order, going on at the fold where
    the class before it stopped, so that both classes and folds are even. An example with several
    labels counts as its rarest one.
    """
    if not 2 <= count <= max(2, len(examples)):
        raise DataError(f"folds: need 2 to {len(examples)} (the number of rows), got {count}")
    frequency = Counter(name for example in examples for name in names_of(example))
    keys = [input_form(example) for example in examples]
    strata: dict[str, str] = {}
    for example, key in zip(examples, keys, strict=True):
        rarest = min(names_of(example), key=lambda name: (frequency[name], name), default="")
        strata.setdefault(key, rarest)
    dealt = sorted(strata, key=lambda key: (strata[key], fraction(key, seed)))
    fold_of = {key: place % count for place, key in enumerate(dealt)}
    return np.array([fold_of[key] for key in keys], dtype=np.int64)


def fraction(key: str, seed: int) -> float:
    """A number in [0, 1) that depends on ``key`` and ``seed`` only."""
    digest = hashlib.sha256(f"{seed}\0{key}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def _by_hash(
    examples: Sequence[Example], seed: int, by: str | None
) -> tuple[list[str], dict[str, float]]:
    """What each row is held out by, and the fraction of each such key."""
    keys = [_group(example) if by == "group" else input_form(example) for example in examples]
    return keys, {key: fraction(key, seed) for key in set(keys)}


def _by_time(examples: Sequence[Example]) -> tuple[list[str], dict[str, float]]:
    """The time of each row, and the share of rows that are later."""
    times = _times(examples)
    keys = [repr(time) for time in times]
    counts = Counter(times)
    order: dict[str, float] = {}
    later = 0
    for time in sorted(counts, reverse=True):
        order[repr(time)] = later / len(times)
        later += counts[time]
    return keys, order


def _give_back(
    examples: Sequence[Example], keys: list[str], order: dict[str, float], held: set[str]
) -> set[str]:
    """``held`` without the last key of each class that is left with no training row."""
    holders = _keys_of_classes(examples, keys)
    back = {max(own, key=lambda key: order[key]) for own in holders.values() if own <= held}
    return held - back


def _some_held(
    examples: Sequence[Example], keys: list[str], order: dict[str, float], held: set[str]
) -> set[str]:
    """``held``, or where it is empty the first key that no class needs for training."""
    if held:
        return held
    holders = _keys_of_classes(examples, keys)
    needed = {key for own in holders.values() if len(own) == 1 for key in own}
    free = sorted(set(keys) - needed, key=lambda key: (order[key], key))
    return set(free[:1]) if len(set(keys)) > 1 else set()


def _keys_of_classes(examples: Sequence[Example], keys: list[str]) -> dict[str, set[str]]:
    holders: dict[str, set[str]] = defaultdict(set)
    for example, key in zip(examples, keys, strict=True):
        for name in names_of(example):
            holders[name].add(key)
    return holders


def _group(example: Example) -> str:
    if example.group is None:
        raise DataError(f"{example.source}: has no group; split_by group needs a group column")
    return normal_form(example.group)


def _times(examples: Sequence[Example]) -> list[float]:
    """Times as numbers: all of them numbers, or all ISO 8601 dates (without zone: UTC)."""
    texts = [example.time for example in examples]
    times: list[float] = []
    read = _number if texts[0] is not None and _is_number(texts[0]) else _date
    for example, text in zip(examples, texts, strict=True):
        try:
            times.append(read(text or ""))
        except (ValueError, OverflowError) as error:
            raise DataError(
                f"{example.source}: time {text!r} is not an ISO date such as 2024-05-01 or "
                "2024-05-01T12:00:00, nor a number where all are numbers"
            ) from error
    return times


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def _is_number(text: str) -> bool:
    try:
        _number(text)
    except ValueError:
        return False
    return True


def _date(text: str) -> float:
    moment = datetime.fromisoformat(text.strip())
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
