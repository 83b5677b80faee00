"""Hide some of a text's tokens while training, so that no single word decides.

Word dropout (Iyyer et al. 2015, "Deep Unordered Composition Rivals Syntactic Methods", section
2.4). Where we differ: a token is not taken away but replaced by the encoder's mask token, which it
knows from its pretraining, and whose place the others then keep.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from tokenizers import Tokenizer
from torch import Tensor

from takeroot.models.vocabulary import MASK_TOKENS


@dataclass(frozen=True)
class Masking:
    """Which tokens are hidden.

    Args:
        share: Probability that a token is hidden, 0 to 1.
        token: Id that stands in for a hidden token.
        special: Ids that are never hidden, such as those of the ends of a text.
    """

    share: float
    token: int
    special: tuple[int, ...]

    def hide(self, ids: Tensor) -> Tensor:
        """The ids (B, T) with some tokens hidden."""
        chosen = torch.rand(ids.shape) < self.share
        kept = torch.isin(ids, torch.tensor(self.special))
        return torch.where(chosen & ~kept, self.token, ids)


def masking_for(tokenizer: Tokenizer, share: float) -> Masking | None:
    """Masking with a tokenizer's mask token; None for share 0, or where it has no such token."""
    known = [token for token in map(tokenizer.token_to_id, MASK_TOKENS) if token is not None]
    if not share or not known:
        return None
    added = tokenizer.get_added_tokens_decoder()
    return Masking(share, known[0], tuple(number for number, each in added.items() if each.special))
