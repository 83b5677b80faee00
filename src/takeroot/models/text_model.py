"""An encoder with a task's head: the network that is trained and exported.

It is called in two forms that compute the same: *padded* (training: one text a row) and *packed*
(serving: several texts end to end in one row, attention masked to equal segments; Krell et al.
2021, arXiv:2107.02027, section 3.2.2).

Shapes: B texts a batch, T tokens a text, S tokens a pack, N texts a pack, H hidden, K outputs.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from takeroot.models.attention import packed_attention
from takeroot.models.layers import layers_of

MASKED = -1e4  # added to attention scores between texts: exp(-1e4) is 0 also in half precision


class _Reached(Exception):  # no error: it ends a forward pass half way
    """The layer asked for was reached."""


class TextModel(nn.Module):
    """Logits (and text vectors) from token ids.

    Args:
        encoder: Gives ``last_hidden_state``.
        head: From vectors (…, H) to logits (…, K).
        pooled: Whether the head reads one vector a text (the unit-length mean of its tokens'
            vectors; Reimers & Gurevych 2019, arXiv:1908.10084) or one a token.
        token_types: Whether the encoder takes token type ids.
    """

    def __init__(
        self, encoder: nn.Module, head: nn.Module, *, pooled: bool, token_types: bool
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = head
        self.pooled = pooled
        self.token_types = token_types

    @property
    def hidden_size(self) -> int:
        """H."""
        config: Any = self.encoder.config
        return int(config.hidden_size)

    def embed(self, ids: Tensor, mask: Tensor, types: Tensor) -> Tensor:
        """Vectors of padded texts: (B, H) of unit length when pooled, else (B, T, H).

        Args:
            ids: Token ids (B, T).
            mask: 1 for tokens, 0 for padding (B, T).
            types: Token type ids (B, T).
        """
        extra = {"token_type_ids": types} if self.token_types else {}
        found = self.encoder(input_ids=ids, attention_mask=mask, **extra)
        return self._vectors(found.last_hidden_state, mask)

    def _vectors(self, hidden: Tensor, mask: Tensor) -> Tensor:
        """Vectors of the last layer's outputs (B, T, H), as ``embed`` gives them."""
        hidden = hidden.float()
        if not self.pooled:
            return hidden
        mean = (hidden * mask.unsqueeze(-1)).sum(dim=1) / mask.sum(dim=1, keepdim=True)
        return F.normalize(mean, dim=-1)

    def below(self, ids: Tensor, mask: Tensor, types: Tensor, lowest: int) -> Tensor:
        """What layer number ``lowest`` is given (B, T, H) of padded texts, as in ``embed``."""
        extra = {"token_type_ids": types} if self.token_types else {}
        seen: list[Tensor] = []

        def stop(module: nn.Module, args: tuple[Tensor, ...]) -> None:
            seen.append(args[0])
            raise _Reached

        handle = layers_of(self.encoder)[lowest].register_forward_pre_hook(stop)
        try:
            self.encoder(input_ids=ids, attention_mask=mask, **extra)
        except _Reached:
            return seen[0]
        finally:
            handle.remove()
        raise AssertionError(f"layer {lowest} was not run")

    def above(self, hidden: Tensor, mask: Tensor, lowest: int) -> Tensor:
        """The vectors ``embed`` gives, from what layer number ``lowest`` is given (B, T, H)."""
        least = torch.finfo(hidden.dtype).min
        added = torch.where(mask[:, None, None, :].bool(), 0.0, least)  # (B, 1, 1, T)
        for layer in layers_of(self.encoder)[lowest:]:
            found = layer(hidden, added)
            hidden = found[0] if isinstance(found, tuple) else found
        return self._vectors(hidden, mask)

    def forward(self, ids: Tensor, mask: Tensor, types: Tensor) -> tuple[Tensor, Tensor]:
        """Logits and the vectors they were computed from, of padded texts."""
        vectors = self.embed(ids, mask, types)
        return self.head(vectors), vectors

    def packed(
        self, ids: Tensor, positions: Tensor, types: Tensor | None, segments: Tensor
    ) -> Tensor:
        """Token vectors (S, H) of one pack; each argument is (1, S)."""
        same = (segments.unsqueeze(2) == segments.unsqueeze(1)).unsqueeze(1)  # (1, 1, S, S)
        mask = torch.where(same, 0.0, MASKED)
        extra = {} if types is None else {"token_type_ids": types}
        with packed_attention(self.encoder):
            hidden = self.encoder(
                input_ids=ids, position_ids=positions, attention_mask=mask, **extra
            ).last_hidden_state
        return torch.as_tensor(hidden[0])


def widen_token_types(encoder: nn.Module, count: int) -> None:
    """Give the encoder ``count`` token types, in place; all begin as what the first one was."""
    embeddings: Any = encoder.embeddings
    first = embeddings.token_type_embeddings.weight.data[:1]
    embeddings.token_type_embeddings = nn.Embedding(
        count, first.shape[1], _weight=first.repeat(count, 1)
    )
