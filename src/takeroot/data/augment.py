"""Changed copies of texts that mean the same: words swapped, a word left out, a slip of the finger.

The first two are of Wei and Zou 2019, arXiv:1901.11196 ("EDA"), the third is what people type.
Where we differ: one change a copy, as a short text bears no more; and a text without blanks, such
as Chinese, is changed by its characters. A change that takes a network, such as other words in the
place of some (``search/substitute``), is given by whoever has one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from takeroot.data.example import Example
from takeroot.data.texts import normal_form

FEWEST = 3  # parts of a text below which it is left as it is

Random = np.random.Generator
Change = Callable[[list[str], Random], list[str]]
ChangeOfAll = Callable[[list[str], Random], list[str]]


def swap(parts: list[str], random: Random) -> list[str]:
    """Two neighbours change places."""
    place = int(random.integers(len(parts) - 1))
    return [*parts[:place], parts[place + 1], parts[place], *parts[place + 2 :]]


def delete(parts: list[str], random: Random) -> list[str]:
    """One part is missing."""
    place = int(random.integers(len(parts)))
    return [*parts[:place], *parts[place + 1 :]]


def typo(parts: list[str], random: Random) -> list[str]:
    """In one word of four letters or more, two neighbouring letters inside change places."""
    long = [place for place, part in enumerate(parts) if len(part) > 3]
    if not long:
        return swap(parts, random)
    place = int(random.choice(long))
    word = list(parts[place])
    letter = 1 + int(random.integers(len(word) - 2))
    word[letter], word[letter - 1] = word[letter - 1], word[letter]
    return [*parts[:place], "".join(word), *parts[place + 1 :]]


CHANGES: dict[str, Change] = {"swap": swap, "delete": delete, "typo": typo}


def changed(text: str, change: str, random: Random) -> str:
    """The text with one change, or as it is where it is too short for one.

    Args:
        text: Any text.
        change: A key of ``CHANGES``.
        random: Where in the text.
    """
    words = text.split()
    between = " "
    if len(words) < FEWEST:
        words, between = list(text), ""
    if len(words) < FEWEST:
        return text
    return between.join(CHANGES[change](words, random))


def augmented(
    examples: Sequence[Example],
    changes: Sequence[str],
    seed: int,
    more: Mapping[str, ChangeOfAll] | None = None,
) -> list[tuple[int, Example]]:
    """A changed copy of each example by each change, with the example's number.

    Both texts of a pair are changed. Copies that are like an example or another copy are left out,
    so that no label is given to another's text.

    Args:
        examples: Any rows but tagged ones, whose spans would move.
        changes: Keys of ``CHANGES``, or of ``more``.
        seed: Of the places.
        more: Changes of all texts at once, by name.
    """
    of_all = {name: _one_by_one(name) for name in CHANGES} | dict(more or {})
    random = np.random.default_rng(seed)
    seen = {(normal_form(e.text), normal_form(e.second or "")) for e in examples}
    found = []
    for change in changes:
        texts = [part for each in examples for part in (each.text, each.second) if part is not None]
        copied = iter(of_all[change](texts, random))
        for number, example in enumerate(examples):
            text = next(copied)
            second = None if example.second is None else next(copied)
            copy = replace(example, text=text, second=second)
            form = (normal_form(copy.text), normal_form(copy.second or ""))
            if form not in seen:
                seen.add(form)
                found.append((number, replace(copy, source=f"{example.source} ({change})")))
    return found


def _one_by_one(change: str) -> ChangeOfAll:
    """A change of texts that each are changed by themselves."""
    return lambda texts, random: [changed(text, change, random) for text in texts]
