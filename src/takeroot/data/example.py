"""One labelled (or unlabelled) row, as every task and every check sees it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Span:
    """A gold entity: character offsets into the example's text and a type."""

    start: int
    end: int
    label: str


Label = str | tuple[str, ...] | tuple[Span, ...] | None


@dataclass(frozen=True, slots=True)
class Example:
    """A text with what a person said about it.

    Args:
        text: The text, as read (line breaks kept, no normalisation).
        label: A label name (classify, pair), label names in sorted order (multilabel), spans in
            order of start (tag), or None where the row is unlabelled.
        second: The second text (pair), else None.
        source: Where it came from, as ``train.csv:12`` (line of the file where the row starts).
        group: Value of the group column, else None.
        time: Value of the time column, else None.
    """

    text: str
    label: Label = None
    second: str | None = None
    source: str = ""
    group: str | None = None
    time: str | None = None

    @property
    def input(self) -> str | tuple[str, str]:
        """What a predictor takes for this row."""
        return self.text if self.second is None else (self.text, self.second)
