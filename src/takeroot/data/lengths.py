"""How long texts are, in characters and in tokens of the model that will read them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from takeroot.data.example import Example

if TYPE_CHECKING:
    from tokenizers import Tokenizer

BINS = 20
BATCH = 1_000


@dataclass(frozen=True)
class TokenUse:
    """What a tokenizer makes of the texts.

    Args:
        mean: Tokens a text, special ones included.
        p95: 95 % of the texts have no more tokens.
        longest: Tokens of the longest text.
        max_tokens: What the model reads, or None.
        truncated: Texts with more.
        unknown_share: Share of the tokens (special ones not counted) that are the unknown token.
    """

    mean: float
    p95: float
    longest: int
    max_tokens: int | None
    truncated: int
    unknown_share: float


def char_lengths(examples: Sequence[Example]) -> dict[str, Any]:
    """Mean, median, 95th percentile, longest and a histogram of the texts' lengths as JSON."""
    lengths = np.array([len(e.text) + len(e.second or "") for e in examples])
    low, high = int(lengths.min()), int(lengths.max())
    width = max(1, -(-(high - low + 1) // BINS))
    counts = np.bincount((lengths - low) // width)
    bars = [
        {"from": low + place * width, "to": low + (place + 1) * width - 1, "count": int(count)}
        for place, count in enumerate(counts)
    ]
    return {
        "unit": "characters",
        "mean": float(lengths.mean()),
        "median": float(np.median(lengths)),
        "p95": float(np.percentile(lengths, 95)),
        "max": high,
        "histogram": bars,
    }


def token_use(
    examples: Sequence[Example], tokenizer: Tokenizer, max_tokens: int | None
) -> TokenUse:
    """What ``tokenizer`` makes of the examples; a truncation set in it is not applied."""
    plain = type(tokenizer).from_str(tokenizer.to_str())
    plain.no_truncation()
    plain.no_padding()
    unknown_id = _unknown_id(plain)
    lengths: list[int] = []
    unknown = counted = 0
    for start in range(0, len(examples), BATCH):
        inputs = [example.input for example in examples[start : start + BATCH]]
        for encoding in plain.encode_batch(inputs):
            special = sum(encoding.special_tokens_mask)
            lengths.append(len(encoding.ids))
            counted += len(encoding.ids) - special
            # An unknown token may carry the special mask or not, by tokenizer version.
            unknown += encoding.ids.count(unknown_id) if unknown_id is not None else 0
    tokens = np.array(lengths)
    truncated = 0 if max_tokens is None else int((tokens > max_tokens).sum())
    return TokenUse(
        mean=float(tokens.mean()),
        p95=float(np.percentile(tokens, 95)),
        longest=int(tokens.max()),
        max_tokens=max_tokens,
        truncated=truncated,
        unknown_share=unknown / max(1, counted),
    )


def _unknown_id(tokenizer: Tokenizer) -> int | None:
    """Id of the unknown token, or None where every text has tokens (byte-level models)."""
    name = getattr(tokenizer.model, "unk_token", None)
    candidates = (name, "[UNK]", "<unk>")
    ids = (tokenizer.token_to_id(token) for token in candidates if token)
    return next((found for found in ids if found is not None), None)
