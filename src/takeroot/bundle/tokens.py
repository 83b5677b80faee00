"""From texts to token ids, the same in training and serving.

Texts are tokenised in one batch. A text longer than the model reads is cut, and counted; for tag
it is read through overlapping windows instead, so that no word is lost, and each word is decided
in the window where it stands farthest from a cut.

Shapes: T tokens, W words, K' tags.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from takeroot.bundle.outputs import Outputs
from takeroot.bundle.shapes import PLAIN, shape_of
from takeroot.bundle.spec import Input
from takeroot.bundle.text import normalise, scrub
from takeroot.errors import BundleError

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

_CHARACTERS = 100  # a token this long is rare: a text is cut to this many a token before tokenising


@dataclass(frozen=True)
class Encoded:
    """Token ids of N texts.

    Args:
        ids: Token ids of each text, special tokens included.
        types: Token type ids of each text, or None where all are 0.
        truncated: Numbers of the texts that were cut.
    """

    ids: list[list[int]]
    types: list[list[int]] | None
    truncated: tuple[int, ...]


@dataclass(frozen=True)
class Window:
    """A stretch of one text that the model reads at once, and the words it decides.

    Args:
        row: Number of the text.
        ids: Token ids, special tokens included.
        types: The shape (``takeroot.bundle.shapes``) of the word each token belongs to.
        places: Position in ``ids`` of the first token of each word decided here (W,).
        words: Character offsets of these words in the text as given (W, 2).
    """

    row: int
    ids: list[int]
    types: list[int]
    places: np.ndarray
    words: np.ndarray


def load_tokenizer(data: bytes, where: str = "tokenizer.json") -> Tokenizer:
    """The tokenizer of a tokenizer.json file, without padding or truncation.

    Raises:
        BundleError: If it is not such a file.
    """
    from tokenizers import Tokenizer  # costs time that a bundle without tokens need not pay

    try:
        tokenizer = Tokenizer.from_buffer(data)
    except Exception as error:  # tokenizers raises one untyped error for every fault
        raise BundleError(f"{where}: not a tokenizer file: {error}") from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def encode(
    tokenizer: Tokenizer,
    inputs: Sequence[Input],
    *,
    max_tokens: int,
    normalisation: str = "nfkc",
) -> Encoded:
    """Token ids of each input, cut to ``max_tokens`` (of a pair, the longer text is cut first).

    Args:
        tokenizer: Without padding; its truncation is set to ``max_tokens`` here and stays so.
        inputs: Texts, or pairs of texts.
        max_tokens: Most tokens of an input, special tokens included.
        normalisation: As in ``takeroot.bundle.text``.
    """
    if (tokenizer.truncation or {}).get("max_length") != max_tokens:
        tokenizer.enable_truncation(max_tokens, strategy="longest_first")
    limit = max_tokens * _CHARACTERS
    texts: list[Input] = []
    cut = set()
    for row, item in enumerate(inputs):
        if isinstance(item, str):
            text = normalise(item, normalisation)
            whole = len(text) <= limit
            texts.append(text if whole else text[:limit])
        else:
            first, second = (normalise(part, normalisation) for part in item)
            whole = len(first) <= limit and len(second) <= limit
            texts.append((first[:limit], second[:limit]))
        if not whole:
            cut.add(row)
    encodings = _batch(tokenizer, texts, offsets=False)
    ids = [encoding.ids or [0] for encoding in encodings]
    cut |= {
        row
        for row, encoding in enumerate(encodings)
        if len(ids[row]) >= max_tokens and encoding.overflowing
    }
    paired = any(not isinstance(item, str) for item in texts)
    types = [encoding.type_ids or [0] for encoding in encodings] if paired else None
    return Encoded(ids, types, tuple(sorted(cut)))


def windows(tokenizer: Tokenizer, texts: Sequence[str], *, max_tokens: int) -> list[Window]:
    """The windows of each text, in order; every word is in exactly one of them.

    Args:
        tokenizer: Without padding; its truncation is taken off here.
        texts: The texts as given: offsets refer to them.
        max_tokens: Most tokens of a window, special tokens included.
    """
    if tokenizer.truncation is not None:
        tokenizer.no_truncation()
    found: list[Window] = []
    for row, encoding in enumerate(_batch(tokenizer, texts, offsets=True)):
        places, words = words_of(encoding, texts[row])
        types = _types(encoding, places, words, texts[row])
        if len(encoding.ids) <= max_tokens:
            found.append(Window(row, encoding.ids or [0], types or [0], places, words))
        else:
            found += _cut(row, encoding, types, places, words, max_tokens)
    return found


def gather(count: int, found: Sequence[Window], tokens: np.ndarray) -> Outputs:
    """Outputs for texts from those of their windows: logits and offsets of each text's words.

    Args:
        count: How many texts there are.
        found: Their windows, in order.
        tokens: Logits of every token of every window, end to end (T, K').
    """
    logits: list[list[np.ndarray]] = [[tokens[:0]] for _ in range(count)]
    words: list[list[np.ndarray]] = [[np.zeros((0, 2), np.int64)] for _ in range(count)]
    start = 0
    for window in found:
        logits[window.row].append(tokens[start + window.places])
        words[window.row].append(window.words)
        start += len(window.ids)
    return Outputs([np.concatenate(part) for part in logits], words=[*map(np.concatenate, words)])


def _batch(tokenizer: Tokenizer, texts: Sequence[Input], *, offsets: bool) -> list[Encoding]:
    """Tokenise all texts at once; lone surrogates, which are no Unicode, as U+FFFD."""
    run = tokenizer.encode_batch if offsets else tokenizer.encode_batch_fast
    try:
        return run(list(texts))
    except (TypeError, UnicodeEncodeError):
        clean = [
            scrub(item) if isinstance(item, str) else (scrub(item[0]), scrub(item[1]))
            for item in texts
        ]
        return run(clean)


def words_of(encoding: Encoding, text: str) -> tuple[np.ndarray, np.ndarray]:
    """Position of each word's first token (W,), and character offsets of the words (W, 2).

    A word is what the tokenizer's pre-tokenizer made one; a Chinese, Japanese or other character
    that is written without spaces is a word of its own also where the pre-tokenizer cuts at spaces
    only.
    """
    places: list[int] = []
    spans: list[list[int]] = []
    last, alone = None, False
    tokens = zip(encoding.word_ids, encoding.offsets, strict=True)
    for place, (word, (start, end)) in enumerate(tokens):
        visible = text[start:end].lstrip()  # some tokenizers count the space before a word in
        if word is None or not visible:
            continue
        first = end - len(visible)
        was_alone, alone = alone, stands_alone(visible[0])
        if word == last and not ((alone or was_alone) and first >= spans[-1][1]):
            spans[-1][1] = max(end, spans[-1][1])
        else:
            places.append(place)
            spans.append([first, end])
        last = word
    return np.array(places, np.int64), np.array(spans, np.int64).reshape(-1, 2)


def _types(encoding: Encoding, places: np.ndarray, words: np.ndarray, text: str) -> list[int]:
    """The shape of each token's word (T,); special tokens are plain."""
    starts = dict(zip(places.tolist(), words.tolist(), strict=True))
    types, shape = [], PLAIN
    for place, word in enumerate(encoding.word_ids):
        if place in starts:
            first, end = starts[place]
            shape = shape_of(text[first:end])
        types.append(PLAIN if word is None else shape)
    return types


def stands_alone(character: str) -> bool:
    """Whether the character belongs to a script written without spaces (Han, kana)."""
    return "\u3040" <= character <= "\u9fff" or "\U00020000" <= character <= "\U0003ffff"


def _cut(
    row: int,
    encoding: Encoding,
    types: list[int],
    places: np.ndarray,
    words: np.ndarray,
    max_tokens: int,
) -> list[Window]:
    """Windows over a long text, overlapping by half; special tokens stand around each."""
    body = np.flatnonzero(np.array(encoding.special_tokens_mask) == 0)
    ids = encoding.ids
    before, inner, after = ids[: body[0]], ids[body[0] : body[-1] + 1], ids[body[-1] + 1 :]
    size = max(1, max_tokens - len(before) - len(after))
    starts = np.array([*range(0, len(inner) - size, max(1, size // 2)), len(inner) - size])
    # A word belongs to the window whose middle is nearest: there it stands farthest from a cut.
    borders = (starts[:-1] + starts[1:] + size) / 2
    owner = np.searchsorted(borders, places - len(before), side="right")  # (W,)
    cut = []
    for number, start in enumerate(starts.tolist()):
        mine = owner == number
        piece = [*before, *inner[start : start + size], *after]
        shapes = [PLAIN] * len(before) + types[body[0] + start : body[0] + start + size]
        shapes += [PLAIN] * len(after)
        cut.append(Window(row, piece, shapes, places[mine] - start, words[mine]))
    return cut
