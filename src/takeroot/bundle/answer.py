"""What a model answers: one frozen value a text, the same in process, in files and on the wire."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Entity:
    """A labelled stretch of a text.

    Args:
        start: Offset of its first character in the text as given.
        end: Offset after its last character.
        label: Its type, without B-/I- prefix.
        text: ``text[start:end]``.
        confidence: Geometric mean of its words' tag probabilities, 0 to 1.
    """

    start: int
    end: int
    label: str
    text: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Answer:
    """A prediction for one text or pair of texts.

    Args:
        label: The most probable label (classify, pair), also when abstained; None otherwise.
        labels: The labels over their thresholds (multilabel), most probable first.
        entities: What was found (tag), in order of their start.
        text: What was written (generate, seq2seq); None for the others.
        tokens: How many tokens that took.
        confidence: Calibrated probability that ``label`` is right; for multilabel the smallest
            probability that a decision is right, for tag the smallest entity confidence, for a
            text the geometric mean of its tokens' probabilities (not calibrated).
        probabilities: Calibrated probability of every label (empty for tag).
        abstained: Whether the model would rather not answer.
        reason: Why it abstained, such as ``out_of_scope``, or ``max_tokens`` where a text was cut
            at its limit; otherwise None.
    """

    label: str | None = None
    labels: tuple[str, ...] = ()
    entities: tuple[Entity, ...] = ()
    confidence: float = 1.0
    probabilities: dict[str, float] = field(default_factory=dict)
    abstained: bool = False
    reason: str | None = None
    text: str | None = None
    tokens: int = 0

    def to_json(self) -> dict[str, Any]:
        """The answer as JSON values.

        ``{label, confidence, probabilities, abstained, reason}``, with ``labels`` or ``entities``
        in place of ``label`` where the task has them; for a text ``{text, tokens, confidence,
        abstained, reason}``.
        """
        body: dict[str, Any] = {"confidence": self.confidence, "abstained": self.abstained}
        body["reason"] = self.reason
        if self.text is not None:
            body = {"text": self.text, "tokens": self.tokens, **body}
        elif self.label is not None:
            body = {"label": self.label, "probabilities": self.probabilities, **body}
        elif self.probabilities:
            body = {"labels": list(self.labels), "probabilities": self.probabilities, **body}
        else:
            keys = ("start", "end", "label", "text", "confidence")
            spans = [{key: getattr(entity, key) for key in keys} for entity in self.entities]
            body = {"entities": spans, **body}
        return body
