"""When two texts count as the same, and when a text stands for none."""

from __future__ import annotations

import unicodedata

from takeroot.data.example import Example

PLACEHOLDERS = {"n/a", "na", "nan", "null", "none", "nil", "#n/a", "-", "--", ".", "?", "无", "空"}


def normal_form(text: str) -> str:
    """The text in compatibility form, without case, with single blanks."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def input_form(example: Example) -> str:
    """Normal form of all that the model is given, both texts of a pair."""
    if example.second is None:
        return normal_form(example.text)
    return f"{normal_form(example.text)}\0{normal_form(example.second)}"


def is_placeholder(text: str) -> bool:
    """Whether the text is a mark that people and programs leave where a value is missing."""
    return len(text) < 20 and normal_form(text) in PLACEHOLDERS
