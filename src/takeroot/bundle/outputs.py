"""What a runtime gives back: raw logits and vectors, before calibration and decisions.

Shapes: N inputs, K labels, H hidden, W words of one text, K' tags.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Outputs:
    """The network's outputs for a list of inputs, in their order.

    Args:
        logits: (N, K) float32; for tag a list of N arrays (W, K').
        embedding: Text vectors (N, H) of unit length, or None where the runtime has none.
        words: For tag, character offsets (W, 2) of each text's words, into the text as given.
        tokens: How many tokens of each input were read; empty where there are no tokens.
        truncated: Numbers of the inputs that were longer than the model reads.
    """

    logits: np.ndarray | list[np.ndarray]
    embedding: np.ndarray | None = None
    words: list[np.ndarray] | None = None
    tokens: tuple[int, ...] = ()
    truncated: tuple[int, ...] = ()
