"""When two texts count as the same."""

from __future__ import annotations

import unicodedata

from takeroot.data.example import Example


def normal_form(text: str) -> str:
    """The text in compatibility form, without case, with single blanks."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def input_form(example: Example) -> str:
    """Normal form of all that the model is given, both texts of a pair."""
    if example.second is None:
        return normal_form(example.text)
    return f"{normal_form(example.text)}\0{normal_form(example.second)}"
