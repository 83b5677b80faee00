"""What a runtime gives back: raw logits and vectors, before calibration and decisions.

Shapes: N inputs, K labels, H hidden, W words of one text, K' tags.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Written:
    """A text that a model wrote.

    Args:
        text: It.
        tokens: How many tokens it has, without the one that ended it.
        confidence: Geometric mean of the probabilities of its tokens and its end, 0 to 1.
        ended: Whether the model ended it; otherwise it was cut.
        read: How many tokens of its input were read.
    """

    text: str
    tokens: int
    confidence: float
    ended: bool
    read: int


@dataclass(frozen=True)
class Outputs:
    """The network's outputs for a list of inputs, in their order.

    Args:
        logits: (N, K) float32; for tag a list of N arrays (W, K').
        embedding: Text vectors (N, H) of unit length, or None where the runtime has none.
        words: For tag, character offsets (W, 2) of each text's words, into the text as given.
        tokens: How many tokens of each input were read, and of its answer written; empty where
            there are no tokens.
        truncated: Numbers of the inputs that were longer than the model reads.
        written: The answers of a model that writes texts, whose logits are empty.
    """

    logits: np.ndarray | list[np.ndarray]
    embedding: np.ndarray | None = None
    words: list[np.ndarray] | None = None
    tokens: tuple[int, ...] = ()
    truncated: tuple[int, ...] = ()
    written: tuple[Written, ...] = ()
