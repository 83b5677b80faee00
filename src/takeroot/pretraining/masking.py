"""Hide whole words of a row, for masked language modelling.

Devlin et al. 2019, arXiv:1810.04805, section 3.1, with whole-word masking (their later release; for
Chinese Cui et al. 2019, arXiv:1906.08101): words are drawn until the share of tokens is reached;
of the drawn tokens 80 % become the mask token, 10 % another token, 10 % stay. Where we differ: the
first word that would exceed the share ends the drawing, instead of being passed over.

Shapes: T tokens of a row, W words.
"""

from __future__ import annotations

import torch
from torch import Tensor

MASKED, RANDOM = 0.8, 0.1  # of the drawn tokens; the rest stays as it is


def hidden_count(tokens: int, share: float) -> int:
    """How many tokens of a row are hidden at most; one at least, or one whole word."""
    return max(1, round(share * tokens))


def draw_words(starts: Tensor, share: float) -> Tensor:
    """Which tokens (T,) belong to words drawn at random.

    Args:
        starts: True where a word begins (T,), the first token's among them.
        share: Of the tokens that are drawn at most, but for a first word that is longer.
    """
    words = torch.cumsum(starts.long(), 0) - 1  # (T,)
    sizes = torch.bincount(words)  # (W,)
    order = torch.randperm(len(sizes))
    taken = torch.cumsum(sizes[order], 0) <= hidden_count(len(starts), share)
    taken[0] = True
    drawn = torch.zeros(len(sizes), dtype=torch.bool)
    drawn[order[taken]] = True
    return drawn[words]


def replace_drawn(ids: Tensor, drawn: Tensor, mask: int, others: Tensor) -> Tensor:
    """The ids with the drawn ones hidden, replaced, or left.

    Args:
        ids: Token ids, of any shape.
        drawn: Which are drawn, of the same shape.
        mask: Id of the mask token.
        others: Ids that a token may be replaced by (V,).
    """
    chance = torch.rand(ids.shape)
    strangers = others[torch.randint(len(others), ids.shape)]
    hidden = torch.where(drawn & (chance < MASKED), mask, ids)
    return torch.where(drawn & (chance >= MASKED) & (chance < MASKED + RANDOM), strangers, hidden)
