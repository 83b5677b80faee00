"""Names from a user's list, found in time linear in the text however long the list is.

A name is a sequence of words: a word is a run of letters in scripts that put blanks between words,
and a single character in those that do not (Chinese, Japanese, Korean, Thai and their neighbours).
So ``Ann`` is not found in ``Annual``, but 王小明 is found in the middle of a sentence. Capitals do
not matter; between two words of a name there may be a blank, a line break, a point, a hyphen or an
apostrophe. At each word that begins a name of the list, the longest name that fits is taken: one
look-up in a set for each length that names beginning so have.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from takeroot.errors import DataError, RecipeError
from takeroot.privacy.plain import plain

_SINGLE = (  # scripts without blanks between words, and Korean, which joins endings to names
    "\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3130-\u318f"
    "\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
)
_LETTER = (  # of the other scripts, and marks that words hold
    rf"(?:[^\W_{_SINGLE}]|[\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0900-\u0dff])"
)
_WORD = re.compile(rf"{_LETTER}+|[{_SINGLE}]")
_BETWEEN = re.compile(r"[ \t]{0,2}(?:[.·•・'’-]|\r?\n)?[ \t]{0,2}")


class Names:
    """A recogniser of the names of a list.

    Args:
        names: As they are written in full; each spelling that is to be found is a name of its own.

    Raises:
        RecipeError: If one holds no letter or digit.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._names: set[str] = set()
        lengths: defaultdict[str, set[int]] = defaultdict(set)
        for name in names:
            words = _words(name)
            if not words:
                raise RecipeError(f"mask.names: {name!r} holds no letter or digit")
            self._names.add("\n".join(words))
            lengths[words[0]].add(len(words))
        self._lengths = {word: sorted(sizes, reverse=True) for word, sizes in lengths.items()}
        self._first = _first_words(lengths)

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Where names stand, in order, without overlap."""
        text = _lower(text)
        at = 0
        while (word := self._first.search(text, at)) is not None:
            end = self._longest(text, word)
            if end:
                yield word.start(), end
            at = end or word.end()

    def value(self, piece: str) -> str:
        """The words of a name."""
        return " ".join(_words(piece))

    def _longest(self, text: str, word: re.Match[str]) -> int:
        """Where the longest name that begins with the word ends; 0 if none begins so."""
        sizes = self._lengths.get(word.group(), [])
        words, ends = [word.group()], [word.end()]
        while sizes and len(words) < sizes[0]:
            between = _BETWEEN.match(text, ends[-1])
            following = _WORD.match(text, between.end() if between else ends[-1])
            if following is None:
                break
            words.append(following.group())
            ends.append(following.end())
        for size in sizes:
            if size <= len(words) and "\n".join(words[:size]) in self._names:
                return ends[size - 1]
        return 0


def read_names(path: Path) -> tuple[str, ...]:
    """The names of a UTF-8 file, one a line, but for empty lines and lines that begin with #.

    Raises:
        DataError: If the file cannot be read.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as UTF-8 text: {error}") from error
    return tuple(line.strip() for line in lines if line.strip() and not line.startswith("#"))


def _words(name: str) -> tuple[str, ...]:
    """The name's words in small letters."""
    return tuple(_WORD.findall(_lower(plain(name).text)))


def _lower(text: str) -> str:
    """The text in small letters, with as many characters as it had."""
    small = text.lower()
    if len(small) == len(text):
        return small
    return "".join(c.lower() if len(c.lower()) == 1 else c for c in text)


def _first_words(words: Iterable[str]) -> re.Pattern[str]:
    """A pattern for words that begin with the first character of one of ``words``."""
    firsts = "".join(sorted({word[0] for word in words}))
    if not firsts:
        return re.compile("(?!)")
    return re.compile(
        f"[{re.escape(firsts)}](?:(?<=[{_SINGLE}])|(?<!{_LETTER}.)(?<={_LETTER}){_LETTER}*)"
    )
