"""Bring a text into the one form the model was trained on, the same in training and serving."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from takeroot.bundle.spec import Input
from takeroot.errors import BundleError

# What a reader cannot see but a tokenizer can: control characters other than white space, soft
# hyphen, grapheme joiner, Mongolian and other variation selectors, zero-width and bidirectional
# marks, byte-order mark, interlinear marks, and tag characters.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad\u034f\u061c\u180b-\u180f\u200b-\u200f"
    "\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
_SURROGATE = re.compile("[\ud800-\udfff]")


def normalise(text: str, how: str) -> str:
    """The text in the form the model reads.

    Args:
        text: Any text.
        how: ``nfkc`` (Unicode NFKC, invisible characters dropped, white space collapsed and
            stripped) or ``none`` (unchanged).

    Raises:
        BundleError: If ``how`` is neither.
    """
    if how == "none":
        return text
    if how != "nfkc":
        raise BundleError(f"normalisation: {how!r} is not one of: nfkc, none")
    if text.isascii():
        return " ".join((text if text.isprintable() else _INVISIBLE.sub("", text)).split())
    # Dropping comes first: a base letter and its accent may stand on both sides of what is dropped.
    visible = _INVISIBLE.sub("", scrub(text))
    return " ".join(unicodedata.normalize("NFKC", visible).split())


def scrub(text: str) -> str:
    """The text with each lone surrogate replaced by U+FFFD: same length, and valid Unicode."""
    return _SURROGATE.sub("\ufffd", text)


def joined(inputs: Sequence[Input], how: str) -> list[str]:
    """Each input as one normalised text; the two texts of a pair stand on two lines."""
    return [
        normalise(item, how)
        if isinstance(item, str)
        else "\n".join(normalise(part, how) for part in item)
        for item in inputs
    ]
